import {
  type Registration,
  type SessionCacheServiceServer,
  SessionCacheServiceService,
} from '@callmesh/proto/session';
import { type App, fail, grpcServer, unaryHandler } from '@callmesh/runtime';

/** As much of session-cache as keeps registrations, by its rules for order; it can be away. */
export class ScriptedCache {
  readonly contacts = new Map<string, Registration>();
  /** What was asked, in order: "put alice@acme.example sip:phone". */
  readonly asked: string[] = [];
  away = false;
  #server: ReturnType<typeof grpcServer> | undefined;

  static async start(app: App): Promise<ScriptedCache> {
    const cache = new ScriptedCache();
    cache.#server = grpcServer(app, app.config.grpc, [
      [SessionCacheServiceService, cache.#handlers() as SessionCacheServiceServer],
    ]);
    await cache.#server.start?.();
    return cache;
  }

  get address(): string {
    return this.#server!.address;
  }

  async stop(): Promise<void> {
    await this.#server?.stop?.();
  }

  #take(what: string): void {
    this.asked.push(what);
    if (this.away) throw fail('unavailable', 'away');
  }

  #handlers(): Partial<SessionCacheServiceServer> {
    const refused = unaryHandler<never, never>(() => {
      throw fail('internal', 'not in this test');
    });
    const others = Object.fromEntries(Object.keys(SessionCacheServiceService).map((name) => [name, refused]));
    return {
      ...others,
      putRegistration: unaryHandler(({ registration }) => this.#put(registration!)),
      removeRegistration: unaryHandler(({ aor, contact }) => {
        this.#take(`remove ${aor} ${contact || '*'}`);
        const keys = [...this.contacts.keys()].filter((key) => key.startsWith(`${aor} ${contact}`));
        for (const key of keys) this.contacts.delete(key);
        return { removed: keys.length };
      }),
      listRegistrations: unaryHandler(({ routerId }) => {
        this.#take(`list ${routerId}`);
        const registrations = [...this.contacts.values()].filter((one) => one.routerId === routerId);
        return { registrations, nextPageToken: '' };
      }),
    };
  }

  #put(registration: Registration): Registration {
    const { aor, contact, expiresAt, callId, cseq } = registration;
    const isGone = expiresAt!.getTime() <= Date.now();
    this.#take(`${isGone ? 'gone' : 'put'} ${aor} ${contact}`);
    const key = `${aor} ${contact}`;
    const known = this.contacts.get(key);
    if (known && known.callId === callId && known.cseq > cseq) throw fail('conflict', 'a newer one is known');
    if (isGone) this.contacts.delete(key);
    else this.contacts.set(key, registration);
    return registration;
  }
}
