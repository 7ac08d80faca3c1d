import type { BindRequest, BindResponse, SessionCacheServiceServer } from '@callmesh/proto/session';
import {
  aboutCall,
  bidiHandler,
  continueTrace,
  inSpan,
  SpanKind,
  streamHandler,
  toCallmeshError,
  unaryHandler,
} from '@callmesh/runtime';
import { checkBind, checkGet, checkMove, checkSessionId } from '../domain/check.ts';
import type { FanOut } from '../domain/fan-out.ts';
import { pageOf } from '../domain/page.ts';
import { toBinding } from '../domain/session.ts';
import type { Bound, Sessions } from '../domain/sessions.ts';

type BindingHandlers = Pick<
  SessionCacheServiceServer,
  'bind' | 'bindStream' | 'get' | 'move' | 'release' | 'list' | 'watch'
>;

/** Binds of one stream that may be under way at once; more wait in the caller's send window. */
const MOST_IN_FLIGHT = 1024;

export interface BindingParts {
  readonly sessions: Sessions;
  readonly fanOut: FanOut;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Aborts when this replica shuts down: streams end, so that their callers go to another. */
  readonly drained: AbortSignal;
}

/** The RPCs about sessions: check, ask the domain, answer. */
export function bindingHandlers({ sessions, fanOut, now, drained }: BindingParts): BindingHandlers {
  const bind = async (request: BindRequest): Promise<BindResponse> => {
    const { proposal, dead } = checkBind(request, now());
    return answerOf(request, await sessions.bind(proposal, dead));
  };
  return {
    bind: unaryHandler(bind),
    bindStream: bidiHandler(async (messages, { signal }, write) => {
      const gate = new Gate(MOST_IN_FLIGHT);
      const answers = new Outbox(write);
      for await (const request of endingWith(messages, drained)) {
        await gate.enter();
        void inCall(request, () => bind(request))
          .catch((error: unknown) => failureOf(request, error))
          .then((answer) => answers.send(answer, () => gate.leave()));
      }
      if (!signal.aborted) await gate.empty();
    }),
    get: unaryHandler(async (request) => {
      const { value, revision } = await sessions.get(checkGet(request));
      return toBinding(value, revision);
    }),
    move: unaryHandler(async (request) => {
      const { sessionId, from, to } = checkMove(request);
      const { value, revision } = await sessions.move(sessionId, from, to);
      return toBinding(value, revision);
    }),
    release: unaryHandler(async (request) => ({
      released: await sessions.release(checkSessionId('session_id', request.sessionId)),
    })),
    list: unaryHandler(({ nodeId, tenantId, pageSize, pageToken }) => {
      const found = sessions.index.find(nodeId, tenantId);
      const { items, next, total } = pageOf(found, ({ value }) => value.sessionId, pageSize, pageToken);
      return {
        bindings: items.map(({ value, revision }) => toBinding(value, revision)),
        nextPageToken: next,
        total,
      };
    }),
    watch: streamHandler(async ({ tenantId }, { signal }, write) => {
      for await (const step of fanOut.watch(tenantId, AbortSignal.any([signal, drained]))) {
        if (step.what === 'snapshot_done') await write({ event: { $case: 'snapshotDone', value: {} } });
        else {
          const binding = toBinding(step.entry.value, step.entry.revision);
          await write({ event: { $case: step.what, value: binding } });
        }
      }
    }),
  };
}

/** A bind of a stream as a step of its call's trace. */
function inCall<T>({ traceparent, binding }: BindRequest, run: () => T): T {
  const names = { call_id: binding?.callId, session: binding?.sessionId };
  return continueTrace(traceparent, () => aboutCall(names, () => inSpan('bind', SpanKind.SERVER, {}, run)));
}

function answerOf({ correlation }: BindRequest, { entry, created }: Bound): BindResponse {
  return { correlation, binding: toBinding(entry.value, entry.revision), created, error: '' };
}

function failureOf({ correlation }: BindRequest, error: unknown): BindResponse {
  return { correlation, binding: undefined, created: false, error: toCallmeshError(error).code };
}

/**
 * What comes in until the signal aborts. What the caller had sent and nobody read
 * is lost with the stream; it asks again elsewhere, and a repeated bind is the same bind.
 */
async function* endingWith<T>(messages: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const reader = messages[Symbol.asyncIterator]();
  let end = () => {};
  const onAbort = () => end();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        end = () => resolve({ done: true, value: undefined });
        reader.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Writes answers one after another: only one of them waits when the caller reads slowly. */
class Outbox<T> {
  readonly #waiting: { message: T; done: () => void }[] = [];
  readonly #write: (message: T) => Promise<void>;
  #busy = false;

  constructor(write: (message: T) => Promise<void>) {
    this.#write = write;
  }

  /** `done` is called when the message is written, or cannot be any more. */
  send(message: T, done: () => void): void {
    this.#waiting.push({ message, done });
    if (!this.#busy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      // Failing means that the caller is gone, and with it whoever wanted the answer.
      await this.#write(next.message).catch(() => {});
      next.done();
    }
    this.#busy = false;
  }
}

/** Lets a number of tasks in at once. */
class Gate {
  #inside = 0;
  #waiting: (() => void) | undefined;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  async enter(): Promise<void> {
    while (this.#inside >= this.#most) await this.#change();
    this.#inside += 1;
  }

  leave(): void {
    this.#inside -= 1;
    this.#waiting?.();
  }

  async empty(): Promise<void> {
    while (this.#inside > 0) await this.#change();
  }

  /** One reader per stream: there is never a second to wait. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
}
