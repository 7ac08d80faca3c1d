import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { until } from './replicas.ts';

/** Whether a nats-server is installed; tests that need one say that they were skipped. */
export const hasNats = spawnSync('nats-server', ['--version']).status === 0;

/** A real nats-server with JetStream on a free port, to be killed, frozen and wiped. */
export class NatsServer {
  readonly #dir = mkdtempSync(join(tmpdir(), 'session-cache-nats-'));
  #port = 0;
  #process: ChildProcess | undefined;

  get url(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.#port ||= await freePort();
    this.#process = spawn(
      'nats-server',
      ['-js', '-sd', this.#dir, '-a', '127.0.0.1', '-p', `${this.#port}`],
      {
        stdio: 'ignore',
      },
    );
    await until(async () => {
      const nc = await connect({ servers: this.url, reconnect: false }).catch(() => undefined);
      const ready = await nc?.request('$JS.API.INFO', '', { timeout: 500 }).catch(() => undefined);
      await nc?.close();
      return ready;
    });
  }

  /** Ends it at once; `wipe` also loses its disk. */
  async kill({ wipe = false } = {}): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null) {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
    }
    if (wipe) rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Stops the process without ending it; resolves when it stands still. */
  async freeze(): Promise<void> {
    const child = this.#process!;
    child.kill('SIGSTOP');
    await until(() => /\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8')));
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  connect() {
    return connect({
      servers: this.url,
      reconnect: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
      pingInterval: 500,
      maxPingOut: 2,
    });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject()));
    });
  });
}
