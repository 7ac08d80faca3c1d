// The same as main.ts, started faster: compiled code is kept between starts, so that a fleet of
// one-process-per-node stand-ins does not compile the same files once per node.
import { enableCompileCache } from 'node:module';

enableCompileCache();
await import('./main.ts');
