import { CommanderError } from 'commander';
import { ExitCode, exitCodeOf } from './exit-code.ts';
import { program } from './program.ts';

/** Runs a command line to its end; what went wrong is one sentence on standard error. */
export async function run(args: readonly string[]): Promise<ExitCode> {
  try {
    await program().parseAsync(args, { from: 'user' });
    return ExitCode.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    process.stderr.write(`callmesh: ${(error as Error).message}\n`);
    return exitCodeOf(error);
  }
}
