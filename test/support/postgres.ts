import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A PostgreSQL server of a test's own, on a loopback port, with data that nobody needs to keep. */
export interface TestPostgres {
  /** Superuser's URL of a fresh, empty database. */
  createDatabase(name: string): string;
  /** Stops it at once, as a crash would: connections break. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Suspends every process of the server, as a frozen host would; `resume` undoes it. */
  freeze(): void;
  resume(): void;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const START_MS = 20_000;

/** Folder with initdb and postgres: PATH does not have Debian's. */
export function postgresBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const candidates = [
    process.env.POSTGRES_BIN ?? '',
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ];
  return candidates.find(
    (dir) => dir && ['initdb', 'postgres', 'psql'].every((name) => existsSync(join(dir, name))),
  );
}

/** PostgreSQL refuses to run as root; its packages bring a user for it. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Makes and starts a server; undefined where PostgreSQL is not installed. */
export async function startPostgres(): Promise<TestPostgres | undefined> {
  const bin = postgresBinaries();
  if (!bin) return undefined;
  const user = serverUser();
  const dir = mkdtempSync(join(tmpdir(), 'callmesh-postgres-'));
  if (user) chownSync(dir, user.uid, user.gid);
  const data = join(dir, 'data');
  const run = (name: string, args: string[]) =>
    execFileSync(join(bin, name), args, {
      ...user,
      cwd: dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
    });
  run('initdb', ['-D', data, '-U', 'callmesh', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']);
  const port = await freePort();
  const url = (database: string) => `postgres://callmesh@127.0.0.1:${port}/${database}`;
  let server: ChildProcess | undefined;

  const ended = (child: ChildProcess) =>
    child.exitCode !== null || child.signalCode !== null
      ? Promise.resolve()
      : new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const end = async (signal: NodeJS.Signals) => {
    const child = server;
    server = undefined;
    if (!child) return;
    // Its backends are children of its own: "immediate" makes it end them too.
    child.kill(signal);
    await ended(child);
  };
  const start = async () => {
    const args = ['-D', data, '-p', String(port), '-k', dir, '-h', '127.0.0.1', '-F'];
    server = spawn(join(bin, 'postgres'), [...args, '-c', 'max_connections=60'], {
      ...user,
      cwd: dir,
      stdio: 'ignore',
    });
    const until = Date.now() + START_MS;
    for (;;) {
      try {
        run('psql', ['-qAt', '-c', 'select 1', url('postgres')]);
        return;
      } catch (error) {
        if (Date.now() > until) throw error;
        await delay(50);
      }
    }
  };
  // Also when the tests are interrupted.
  process.once('exit', () => {
    server?.kill('SIGQUIT');
    rmSync(dir, { recursive: true, force: true });
  });
  await start();
  return {
    createDatabase(name) {
      run('psql', ['-q', '-c', `create database "${name}"`, url('postgres')]);
      return url(name);
    },
    kill: () => end('SIGQUIT'),
    start,
    freeze: () => signalTree(server, 'SIGSTOP'),
    resume: () => signalTree(server, 'SIGCONT'),
    async stop() {
      await end('SIGQUIT');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The server and its backends: children are listed by the kernel. */
function signalTree(server: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (server?.pid === undefined) return;
  const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8');
  for (const pid of [server.pid, ...children.trim().split(/\s+/).filter(Boolean).map(Number)])
    process.kill(pid, signal);
}
