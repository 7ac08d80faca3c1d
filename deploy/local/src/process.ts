import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { withTimeout } from '@callmesh/runtime';

export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** File that gets all it prints. */
  readonly log: string;
  /** Resolves once the process is usable; by default when it prints a JSON line with "msg":"ready". */
  readonly ready?: (process: Process) => Promise<void>;
  /** Most time until ready, milliseconds; 60 s unless told, for a machine that is busy. */
  readonly readyMs?: number;
}

/** Fields of the "ready" line of a process that prints one. */
export type Ready = Record<string, string>;

const STOP_MS = 8_000;

/** A child process that ends with us, can be frozen, killed and started again with the same arguments. */
export class Process {
  readonly spec: ProcessSpec;
  ready: Ready = {};
  #child: ChildProcess | undefined;
  #onReady: ((ready: Ready) => void) | undefined;

  constructor(spec: ProcessSpec) {
    this.spec = spec;
  }

  get name(): string {
    return this.spec.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(): Promise<this> {
    const { command, args, env, cwd, log, ready, readyMs = 60_000 } = this.spec;
    // pdeathsig: if we are killed without a chance to clean up, the kernel ends the child.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', command, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    const file = createWriteStream(log, { flags: 'a' });
    child.stderr.pipe(file, { end: false });
    child.once('close', () => file.end());
    const said = new Promise<Ready>((resolve) => {
      this.#onReady = resolve;
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      file.write(`${line}\n`);
      if (line.includes('"msg":"ready"')) this.#onReady?.(JSON.parse(line));
    });
    const exited = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) =>
        reject(new Error(`${this.name} ended (${signal ?? code}) before it was ready`)),
      );
    });
    exited.catch(() => {});
    const usable = ready ? ready(this) : said.then((fields) => void Object.assign(this.ready, fields));
    try {
      await withTimeout(Promise.race([usable, exited]), readyMs, `start of ${this.name}`);
    } catch (error) {
      await this.kill();
      throw new Error(`${(error as Error).message}; its last words:\n${this.tail()}`);
    }
    return this;
  }

  /** SIGTERM, then SIGKILL when that is not enough; resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.running) return;
    const gone = this.#gone();
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(timer);
  }

  /** SIGKILL to the process and what it forked; resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.running) return;
    const gone = this.#gone();
    this.signal('SIGKILL');
    await gone;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  freeze(): void {
    this.signal('SIGSTOP');
  }

  thaw(): void {
    this.signal('SIGCONT');
  }

  /** Sends a signal to the whole process group. */
  signal(signal: NodeJS.Signals): void {
    if (!this.pid) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** The end of its log. */
  tail(bytes = 2_000): string {
    try {
      return readFileSync(this.spec.log, 'utf8').slice(-bytes);
    } catch {
      return '(no log)';
    }
  }

  /** Its forks may outlive it for a moment, and hold its ports. */
  async #gone(): Promise<void> {
    const pid = this.pid!;
    await new Promise<void>((resolve) => this.#child!.once('exit', () => resolve()));
    await eventually(() => !groupLives(pid), `all of ${this.name} is gone`);
  }
}

/** False when no process of the group is left; one that nobody has waited for yet holds nothing any more. */
function groupLives(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Asks again every 25 ms until `check` gives something that is not false or undefined; throws after `ms`. */
export async function eventually<T>(
  check: () => Promise<T | false | undefined> | T | false | undefined,
  what: string,
  ms = 10_000,
): Promise<T> {
  const until = Date.now() + ms;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== false && value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until) throw new Error(`${what}: not within ${ms} ms`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
