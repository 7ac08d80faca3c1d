import { ExitCode } from './exit-code.ts';
import { run } from './run.ts';

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? ExitCode.ok : ExitCode.failed);
});

const code = await run(process.argv.slice(2));
if (code !== ExitCode.ok) process.exit(code);
