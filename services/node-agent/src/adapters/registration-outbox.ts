import { Registration, SessionCacheServiceClient } from '@callmesh/proto/session';
import { type App, type Component, call, grpcClient, toCallmeshError } from '@callmesh/runtime';
import type { Device } from '../domain/registrations/device.ts';
import { type Tidings, Waiting } from '../domain/registrations/waiting.ts';

const DEADLINE_MS = 2_000;
const RETRY_MS = 500;
const PAGE = 1_000;
/** Most tidings that wait for session-cache. */
const MOST_WAITING = 50_000;
/** Addresses of record that are told of at once. */
const AT_ONCE = 16;
/** So long a domain may be unknown: the door knew the tenant before we did, milliseconds. */
const UNKNOWN_MS = 30_000;

/** Whose an address of record is, and which door its path leads to. */
export interface Whereabouts {
  /** False while nothing is known of any tenant. */
  readonly known: boolean;
  tenantOf(aor: string): string | undefined;
  edgeOf(path: readonly string[]): string;
}

/** Tells session-cache of devices, in order for each address of record, until it knows. */
export class RegistrationOutbox implements Component {
  readonly name = 'registration-outbox';
  readonly #app: App;
  readonly #routerId: string;
  readonly #client: SessionCacheServiceClient;
  readonly #whereabouts: Whereabouts;
  readonly #waiting = new Waiting(MOST_WAITING);
  #telling = false;
  /** True when somebody of this round has to wait for a tenant. */
  #held = false;
  #stopped = false;

  constructor(app: App, routerId: string, sessionCache: string, whereabouts: Whereabouts) {
    this.#app = app;
    this.#routerId = routerId;
    this.#client = grpcClient(app, SessionCacheServiceClient, sessionCache);
    this.#whereabouts = whereabouts;
    app.meter
      .createObservableGauge('callmesh_node_registrations_waiting', {
        description: 'changes of registrations session-cache does not know yet',
      })
      .addCallback((result) => result.observe(this.#waiting.size));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#client.close();
  }

  tell(device: Device): void {
    this.#add({ what: 'device', device });
  }

  forgetAll(aor: string): void {
    this.#add({ what: 'all gone', aor });
  }

  /** What session-cache has of this router. Errors: those of the call. */
  async known(): Promise<Device[]> {
    const known: Device[] = [];
    const filter = { tenantId: '', edgeId: '', routerId: this.#routerId, pageSize: PAGE };
    for (let pageToken = ''; ; ) {
      const request = { ...filter, pageToken };
      const page = await call(this.#client, 'listRegistrations', request, { deadlineMs: DEADLINE_MS });
      known.push(...page.registrations.map(deviceOf));
      pageToken = page.nextPageToken;
      if (!pageToken) return known;
    }
  }

  #add(tidings: Tidings): void {
    this.#waiting.add(tidings);
    if (!this.#telling) void this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    this.#telling = true;
    while (!this.#stopped && this.#waiting.size > 0) {
      const silent = await this.#round();
      if (silent === undefined) this.#app.degraded('session-cache', null);
      else this.#app.degraded('session-cache', `registrations wait for it (${silent})`);
      if (silent !== undefined || this.#held) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    this.#telling = false;
  }

  /** Tells of everybody who waits now; resolves with why session-cache could not be told. */
  async #round(): Promise<string | undefined> {
    const aors = this.#waiting.aors();
    this.#held = false;
    let silent: string | undefined;
    const work = async () => {
      for (let aor = aors.shift(); aor && silent === undefined && !this.#stopped; aor = aors.shift())
        silent = (await this.#tellOf(aor)) ?? silent;
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return silent;
  }

  async #tellOf(aor: string): Promise<string | undefined> {
    for (let next = this.#waiting.next(aor); next; next = this.#waiting.next(aor)) {
      try {
        if (!(await this.#tellOne(next))) {
          this.#held = true;
          return undefined;
        }
      } catch (error) {
        const { code, message } = toCallmeshError(error);
        // Somebody knows a newer one, or it is none: neither gets better by asking again.
        if (!['conflict', 'already_exists', 'invalid_argument'].includes(code)) return message;
        this.#app.log.info({ code, reason: message }, 'a registration was not taken');
      }
      this.#waiting.remove(next);
    }
    return undefined;
  }

  /** False when it must wait for its tenant to be known. */
  async #tellOne(tidings: Tidings): Promise<boolean> {
    if (tidings.what === 'all gone') {
      const everything = { aor: tidings.aor, contact: '' };
      await call(this.#client, 'removeRegistration', everything, { deadlineMs: DEADLINE_MS });
      return true;
    }
    const { device } = tidings;
    const tenantId = this.#whereabouts.tenantOf(device.aor);
    if (tenantId === undefined) return this.#isNobodys(device);
    // A contact that is gone is one that has expired: what another router heard later is left alone.
    const registration = this.#registration(device, tenantId);
    await call(this.#client, 'putRegistration', { registration }, { deadlineMs: DEADLINE_MS });
    return true;
  }

  #isNobodys({ aor, at }: Device): boolean {
    if (!this.#whereabouts.known || Date.now() - at < UNKNOWN_MS) return false;
    this.#app.log.warn(
      { domain: aor.slice(aor.indexOf('@') + 1) },
      'a registration at a domain of no tenant',
    );
    return true;
  }

  #registration(device: Device, tenantId: string): Registration {
    const { aor, contact, path, callId, userAgent, at, expiresAt } = device;
    return Registration.fromPartial({
      ...{ aor, tenantId, contact, callId, userAgent, path: [...path] },
      edgeId: this.#whereabouts.edgeOf(path),
      routerId: this.#routerId,
      expiresAt: new Date(expiresAt),
      // FreeSWITCH does not tell the CSeq; seconds order the REGISTERs of one Call-ID as well.
      cseq: Math.floor(at / 1000),
    });
  }
}

function deviceOf(registration: Registration): Device {
  const { aor, contact, path, callId, userAgent, cseq, expiresAt } = registration;
  return { aor, contact, path, callId, userAgent, at: cseq * 1000, expiresAt: expiresAt?.getTime() ?? 0 };
}
