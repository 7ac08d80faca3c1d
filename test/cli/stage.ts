import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, ROOT } from '@callmesh/local';
import { type Registration, SessionCacheServiceClient } from '@callmesh/proto/session';
import { call } from '@callmesh/runtime';
import type { UacCall } from '@callmesh/standin/uac';
import { expect } from 'vitest';
import { mediaNodes, tenants, World } from '../mesh/world.ts';
import { type Run, runHere } from './run.ts';

const ENTRY = join(ROOT, 'services/cli/bin/callmesh.mjs');
const GOLDEN = join(import.meta.dirname, 'golden');

export const ACME = { ...tenants(1, ['red'], 72)[0]!, id: 'acme' };

/** A mesh with two groups of one node, and the command line beside it. */
export class CliStage {
  readonly world: World;
  readonly #sockets = mkdtempSync(join(tmpdir(), 'tmux-'));
  readonly #terminals: Terminal[] = [];

  private constructor(world: World) {
    this.world = world;
  }

  static async start(): Promise<CliStage> {
    // Stand-ins answer by themselves, and for as long as the caller stays.
    const carries = { max: 100 };
    const nodes = [...mediaNodes('red', 1, carries), ...mediaNodes('blue', 1, carries)];
    return new CliStage(await World.start([ACME], { nodes, replicas: { 'call-control': 1 } }));
  }

  async stop(): Promise<void> {
    for (const terminal of this.#terminals) terminal.close();
    rmSync(this.#sockets, { recursive: true });
    await this.world.stop();
  }

  get env(): Record<string, string> {
    const { etcd, token } = this.world.mesh;
    const cache = join(ROOT, '.cache', 'node');
    return {
      CALLMESH_ETCD: etcd.url,
      CALLMESH_TOKEN: token,
      NODE_COMPILE_CACHE: cache,
      USER: 'test',
      SUDO_USER: '',
    };
  }

  /** Runs a command here, to its end. */
  run(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
    return runHere(args, { ...this.env, ...env });
  }

  /** Runs a command as a process of its own, as a shell does. */
  process(args: readonly string[]): Promise<Run> {
    return new Promise((resolve) => {
      const env = { ...process.env, ...this.env };
      execFile(process.execPath, [ENTRY, ...args], { env }, (error, out, err) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }),
      );
    });
  }

  /** Calls of acme that are up, so many. */
  async calls(count: number): Promise<UacCall[]> {
    const pbx = await this.world.pbx(ACME);
    const batch = await pbx.run({ count, rate: 30, holdMs: 0, call: () => this.world.to(ACME) });
    expect(batch.failed).toEqual([]);
    return batch.calls;
  }

  /** As an fs-router's agent tells when a phone has registered. */
  async register(registration: Registration): Promise<void> {
    const cache = this.world.mesh.client(SessionCacheServiceClient, 'session-cache-1');
    await call(cache, 'putRegistration', { registration });
  }

  /** A terminal that is recorded, in which a command runs. */
  terminal(args: readonly string[]): Terminal {
    const settings = Object.entries(this.env).map(([key, value]) => `${key}=${quoted(value)}`);
    const command = [...settings, process.execPath, ENTRY, ...args].join(' ');
    const terminal = new Terminal(join(this.#sockets, String(this.#terminals.length)), command);
    this.#terminals.push(terminal);
    return terminal;
  }
}

/** tmux, which keeps what a terminal shows. */
class Terminal {
  readonly #socket: string;

  /** A server of its own, so that nobody's tmux is touched. */
  constructor(socket: string, command: string) {
    this.#socket = socket;
    this.#tmux('new-session', '-d', '-x', '160', '-y', '20', `${command}; echo "exit $?"; sleep 600`);
  }

  /** What is on the screen now. */
  get screen(): string {
    return this.#tmux('capture-pane', '-p').trimEnd();
  }

  press(key: string): void {
    this.#tmux('send-keys', key);
  }

  /** The screen once it shows this. */
  shows(what: RegExp, ms = 15_000): Promise<string> {
    return eventually(() => (what.test(this.screen) ? this.screen : false), `the terminal shows ${what}`, ms);
  }

  close(): void {
    this.#tmux('kill-server');
  }

  #tmux(...args: readonly string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });
  }
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/** What differs from run to run, by its kind; columns keep their order, not their width. */
function normal(text: string): string {
  return (
    text
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>')
      .replace(/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g, '<uuid>')
      .replace(/[\da-f]{16}@[\d.]+/g, '<call-id>')
      .replace(/\b[\da-f]{16}\b/g, '<session>')
      .replace(/127\.0\.0\.1:\d+/g, '<address>')
      .replace(/\b\d+(d|h|m|s)( \d+(h|m|s))?(?= |$)/gm, '<span>')
      .replace(/\b\d+ ms ago/g, '<n> ms ago')
      .replace(/\d+ keys/g, '<n> keys')
      .replace(/revision \d+/g, 'revision <n>')
      .replace(/\b\d+ %/g, '<n> %')
      .replace(/lightest: \d+ of/g, 'lightest: <n> of')
      .replace(/ {2,}/g, '  ')
      // A call that was over at once has none.
      .replace(/(NORMAL_CLEARING.*) (\d\.\d\d|-) *$/gm, '$1 <mos>')
      .replace(/ +$/gm, '')
  );
}

/** Compares with golden/<name>.txt; CLI_GOLDEN=write writes it. */
export function expectGolden(name: string, text: string): void {
  const file = join(GOLDEN, `${name}.txt`);
  if (process.env.CLI_GOLDEN === 'write') writeFileSync(file, normal(text));
  expect(normal(text)).toBe(readFileSync(file, 'utf8'));
}
