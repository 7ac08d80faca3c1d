import { randomUUID } from 'node:crypto';
import { eventually, type Mesh } from '@callmesh/local';
import type { CallEvent } from '@callmesh/proto/call';
import { CallControlServiceClient, CallControlServiceService } from '@callmesh/proto/control';
import { call, fromGrpcError, serverStream } from '@callmesh/runtime';

type Method = Exclude<keyof CallControlServiceClient & string, 'watchEvents' | 'close'>;
type Request<M extends Method> = Parameters<typeof call<CallControlServiceClient, M>>[2];

/** A service of the platform: it commands the calls of a tenant, and hears of them. */
export class Platform {
  readonly tenantId: string;
  /** Everything that was told, in order. */
  readonly events: CallEvent[] = [];
  /** Where to go on watching. */
  position = 0;
  readonly #mesh: Mesh;
  readonly #instance: string;
  readonly #token: string | undefined;
  readonly #abort = new AbortController();
  #connected: { readonly address: string; readonly client: CallControlServiceClient } | undefined;

  /** As the mesh itself, at the first replica, unless told otherwise; hears of everything from the first event on. */
  constructor(
    mesh: Mesh,
    tenantId: string,
    { instance = 'call-control-1', token }: { instance?: string; token?: string } = {},
  ) {
    this.#mesh = mesh;
    this.tenantId = tenantId;
    this.#instance = instance;
    this.#token = token;
    void this.#watch();
  }

  /** A restarted replica listens elsewhere. */
  get #client(): CallControlServiceClient {
    const address = this.#mesh.service(this.#instance).ready.grpc!;
    if (this.#connected?.address !== address) {
      this.#connected?.client.close();
      const client = this.#mesh.client(CallControlServiceClient, this.#instance, this.#token);
      this.#connected = { address, client };
    }
    return this.#connected.client;
  }

  /** A command or question; the idempotency key is a new one unless given. */
  do<M extends Method>(method: M, request: Partial<Request<M>>, deadlineMs = 5_000) {
    // An empty message has the default of every field.
    const empty = CallControlServiceService[method as 'answer'].requestDeserialize(Buffer.alloc(0));
    const whole = { ...empty, idempotencyKey: randomUUID(), ...request };
    return call(this.#client, method, whole as Request<M>, { deadlineMs });
  }

  /** A reference to the leg of an event. */
  leg({ sessionId, legUuid }: Pick<CallEvent, 'sessionId' | 'legUuid'>) {
    return { tenantId: this.tenantId, sessionId, legUuid };
  }

  /** The first event that is like this, once it was told. */
  async told(like: Partial<CallEvent> | ((event: CallEvent) => boolean), ms?: number): Promise<CallEvent> {
    const matches = typeof like === 'function' ? like : (event: CallEvent) => isLike(event, like);
    return eventually(
      () => this.events.find(matches),
      `told of ${typeof like === 'function' ? like : JSON.stringify(like)}`,
      ms,
    );
  }

  /** Names of what was told of a leg, in order. */
  of({ legUuid }: Pick<CallEvent, 'legUuid'>): string[] {
    return this.events.filter((event) => event.legUuid === legUuid).map(({ event }) => event);
  }

  close(): void {
    this.#abort.abort();
  }

  /** Goes on where it was when call-control or the stream went away. */
  async #watch(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const request = {
        ...{ tenantId: this.tenantId, sessionId: '', agentId: '' },
        ...{ afterPosition: this.position, fromStart: this.position === 0 },
      };
      try {
        for await (const { event, position } of serverStream(this.#client, 'watchEvents', request, {
          signal,
        })) {
          if (event) this.events.push(event);
          this.position = position;
        }
      } catch (error) {
        if (fromGrpcError(error).code === 'tenant_forbidden') return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
}

function isLike(event: CallEvent, like: Partial<CallEvent>): boolean {
  return Object.entries(like).every(([key, value]) => event[key as keyof CallEvent] === value);
}
