import { fail } from '@callmesh/runtime';
import { ReplyFifo, writeLine } from './fifo.ts';
import { JsonSplitter } from './json-splitter.ts';

export interface RpcFiles {
  /** Kamailio's FIFO (jsonrpcs `fifo_name`). */
  readonly fifo: string;
  /** Folder of answers (jsonrpcs `fifo_reply_dir`), private to the two. */
  readonly replyDir: string;
}

type Param = string | number;
interface Answer {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code?: number; readonly message?: string };
}
interface Waiting {
  readonly id: number;
  readonly resolve: (answer: Answer) => void;
}

/** Deadline of a question that names none, milliseconds. */
const ANSWER_MS = 2_000;

/**
 * Questions to Kamailio over its JSON-RPC FIFO, one at a time as its one RPC
 * process takes them anyway. An answer that comes after its deadline goes
 * nowhere: the next question uses another reply FIFO.
 */
export class KamailioRpc {
  readonly #files: RpcFiles;
  readonly #name: string;
  #serial = 0;
  #fifos = 0;
  #reply: ReplyFifo | undefined;
  #waiting: Waiting | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #askedAt: number | undefined;

  /** `name` tells this agent's reply FIFOs from another's. */
  constructor(files: RpcFiles, name: string) {
    this.#files = files;
    this.#name = name;
  }

  /** When the question that is under way was sent; undefined when none is. */
  get askedAt(): number | undefined {
    return this.#askedAt;
  }

  /**
   * Asks and returns the result. Errors: unavailable (nobody listens), deadline,
   * precondition_failed with Kamailio's own message.
   */
  ask(method: string, params: readonly Param[] = [], deadlineMs = ANSWER_MS): Promise<unknown> {
    const asked = this.#queue.then(() => this.#ask(method, params, deadlineMs));
    this.#queue = asked.catch(() => {});
    return asked;
  }

  async close(): Promise<void> {
    await this.#dropReply();
  }

  async #ask(method: string, params: readonly Param[], deadlineMs: number): Promise<unknown> {
    this.#reply ??= await this.#openReply();
    this.#serial += 1;
    const id = this.#serial;
    const question = { jsonrpc: '2.0', method, params, reply_name: this.#reply.name, id };
    this.#askedAt = Date.now();
    try {
      const answer = this.#answer(id, method, deadlineMs);
      answer.catch(() => {});
      await writeLine(this.#files.fifo, JSON.stringify(question));
      const { result, error } = await answer;
      if (error) throw fail('precondition_failed', `${method}: ${error.message ?? 'refused'}`);
      return result;
    } finally {
      this.#askedAt = undefined;
      this.#waiting = undefined;
    }
  }

  #answer(id: number, method: string, deadlineMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        void this.#dropReply();
        reject(fail('deadline', `Kamailio did not answer ${method} within ${deadlineMs} ms`));
      }, deadlineMs);
      this.#waiting = {
        id,
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
      };
    });
  }

  async #openReply(): Promise<ReplyFifo> {
    this.#fifos += 1;
    const splitter = new JsonSplitter();
    return ReplyFifo.create(this.#files.replyDir, `${this.#name}-${process.pid}-${this.#fifos}`, (chunk) => {
      for (const text of splitter.push(chunk)) this.#onAnswer(text);
    });
  }

  #onAnswer(text: string): void {
    const answer = parse(text);
    const waiting = this.#waiting;
    if (answer && waiting && waiting.id === answer.id) waiting.resolve(answer);
  }

  async #dropReply(): Promise<void> {
    const reply = this.#reply;
    this.#reply = undefined;
    await reply?.close();
  }
}

function parse(text: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as Answer) : undefined;
  } catch {
    return undefined;
  }
}
