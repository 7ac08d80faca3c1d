import type { BindRequest, BindResponse, SessionCacheServiceClient } from '@callmesh/proto/session';
import {
  type App,
  type CallmeshError,
  type Component,
  type ErrorCode,
  fail,
  fromGrpcError,
  traceparent,
} from '@callmesh/runtime';
import type { ClientDuplexStream } from '@grpc/grpc-js';

const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 1_000;
/** While session-cache does not answer, only one bind in this time waits for it; the others need not. */
const PROBE_MS = 250;

interface Waiting {
  readonly settle: (response: BindResponse) => void;
  readonly refuse: (error: CallmeshError) => void;
}

/** Binds over one long-lived stream: a unary call each would cost more than the decision. */
export class BindStream implements Component {
  readonly name = 'bind-stream';
  readonly #app: App;
  readonly #client: SessionCacheServiceClient;
  readonly #waiting = new Map<number, Waiting>();
  #stream: ClientDuplexStream<BindRequest, BindResponse> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #pause = RETRY_FIRST_MS;
  #correlation = 0;
  /** Unix ms of the last probe while nothing answers; undefined while session-cache answers. */
  #probedAt: number | undefined;
  #stopped = false;

  constructor(app: App, client: SessionCacheServiceClient) {
    this.#app = app;
    this.#client = client;
  }

  async start(): Promise<void> {
    this.#open();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#stream?.cancel();
    this.#refuseAll(fail('unavailable', 'policy is stopping'));
  }

  /**
   * The binding that holds after this proposal. Errors: deadline and unavailable
   * when session-cache does not answer (at once while it is known to be silent),
   * or the code it answered.
   */
  bind(request: Omit<BindRequest, 'correlation' | 'traceparent'>, deadlineMs: number): Promise<BindResponse> {
    if (!this.#stream || !this.#mayWait())
      return Promise.reject(fail('unavailable', 'session-cache does not answer'));
    this.#correlation += 1;
    const correlation = this.#correlation;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(correlation);
        this.#probedAt ??= Date.now();
        reject(fail('deadline', `session-cache took longer than ${deadlineMs} ms`));
      }, deadlineMs);
      this.#waiting.set(correlation, {
        settle: (response) => {
          clearTimeout(timer);
          if (response.error) reject(fail(response.error as ErrorCode, `bind refused: ${response.error}`));
          else resolve(response);
        },
        refuse: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#stream?.write({ ...request, correlation, traceparent: traceparent() || undefined });
    });
  }

  #mayWait(): boolean {
    if (this.#probedAt === undefined) return true;
    if (Date.now() - this.#probedAt < PROBE_MS) return false;
    this.#probedAt = Date.now();
    return true;
  }

  #open(): void {
    const stream = this.#client.bindStream();
    this.#stream = stream;
    stream.on('data', (response: BindResponse) => {
      this.#probedAt = undefined;
      this.#pause = RETRY_FIRST_MS;
      const waiting = this.#waiting.get(response.correlation);
      this.#waiting.delete(response.correlation);
      waiting?.settle(response);
    });
    stream.on('error', (error) => this.#lost(stream, fromGrpcError(error)));
    stream.on('end', () => this.#lost(stream, fail('unavailable', 'session-cache ended the stream')));
  }

  #lost(stream: ClientDuplexStream<BindRequest, BindResponse>, error: CallmeshError): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#refuseAll(fail('unavailable', error.message, { cause: error }));
    if (this.#stopped) return;
    this.#app.log.debug({ reason: error.message }, 'bind stream lost');
    this.#retry = setTimeout(() => this.#open(), this.#pause);
    this.#pause = Math.min(this.#pause * 2, RETRY_MOST_MS);
  }

  #refuseAll(error: CallmeshError): void {
    for (const { refuse } of this.#waiting.values()) refuse(error);
    this.#waiting.clear();
  }
}
