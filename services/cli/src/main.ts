import { CommanderError } from 'commander';
import { ExitCode, exitCodeOf } from './exit-code.ts';
import { program } from './program.ts';

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? ExitCode.ok : ExitCode.failed);
});

try {
  await program().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? ExitCode.ok : ExitCode.usage);
  process.stderr.write(`callmesh: ${(error as Error).message}\n`);
  process.exit(exitCodeOf(error));
}
