import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type CommandMemory, type Outcome, REMEMBERED_MS } from '../../domain/commands/memory.ts';

/** A command that was begun, and what came of it once that is known. */
interface Line {
  readonly id: string;
  readonly at: number;
  readonly outcome?: Outcome;
}

/** Lines after which the file is written anew with what is still worth keeping. */
const MOST_LINES = 20_000;

/**
 * Commands on disk, so that an agent that was restarted does not do again what its
 * predecessor did: a line before FreeSWITCH is asked, another with the outcome.
 * Written at once and not synced: what it outlives is the agent's end, not the host's.
 */
export class CommandJournal {
  readonly #path: string;
  #file: number | undefined;
  #lines: Map<string, Line>;
  #written = 0;

  /** Opens the file and tells `memory` what it holds. What was begun and never ended is outcome_unknown. */
  constructor(path: string, memory: CommandMemory, now: number) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#lines = read(path, now);
    for (const { id, at, outcome } of this.#lines.values())
      memory.remember(id, Promise.resolve(outcome ?? UNKNOWN), at);
    this.#file = this.#rewrite();
  }

  begun(id: string, now: number): void {
    this.#append({ id, at: now });
  }

  /** Digits are not written: they are personal, and a repetition after a restart is rare. */
  ended(id: string, { digits, ...outcome }: Outcome, now: number): void {
    this.#append({ id, at: now, ...(digits === undefined && { outcome }) });
  }

  /** What is under way stays begun without an end. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #append(line: Line): void {
    if (this.#file === undefined) return;
    this.#lines.set(line.id, line);
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
    this.#written += 1;
    if (this.#written < MOST_LINES) return;
    closeSync(this.#file);
    this.#lines = fresh(this.#lines, line.at);
    this.#file = this.#rewrite();
  }

  #rewrite(): number {
    const text = [...this.#lines.values()].map((line) => `${JSON.stringify(line)}\n`).join('');
    writeFileSync(this.#path, text, { mode: 0o600 });
    this.#written = this.#lines.size;
    return openSync(this.#path, 'a', 0o600);
  }
}

const UNKNOWN: Outcome = {
  errorCode: 'outcome_unknown',
  errorMessage: 'the agent was restarted while this was under way',
};

function read(path: string, now: number): Map<string, Line> {
  const lines = new Map<string, Line>();
  for (const text of contentOf(path).split('\n')) {
    const line = parse(text);
    if (line) lines.set(line.id, line);
  }
  return fresh(lines, now);
}

function fresh(lines: Map<string, Line>, now: number): Map<string, Line> {
  return new Map([...lines].filter(([, { at }]) => now - at < REMEMBERED_MS));
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** The last line of an agent that was killed may be half a line. */
function parse(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Line;
    return typeof line?.id === 'string' && typeof line.at === 'number' ? line : undefined;
  } catch {
    return undefined;
  }
}
