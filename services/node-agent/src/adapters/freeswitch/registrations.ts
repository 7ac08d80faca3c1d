import { NodeRole } from '@callmesh/proto/node';
import { Registration, SessionCacheServiceClient } from '@callmesh/proto/session';
import { type App, type Component, call, grpcClient, toCallmeshError } from '@callmesh/runtime';
import { keptContact } from '../../domain/xml/contact.ts';
import type { EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';
import type { EtcdSource } from '../sources/etcd-source.ts';
import type { TenantSource } from '../sources/tenant-source.ts';
import type { Attendant } from './attendant.ts';

const COMMAND_MS = 10_000;
const DEADLINE_MS = 2_000;
const RETRY_MS = 500;
const PAGE = 1000;
/** Most changes that wait for session-cache; beyond it the oldest goes, and the next reconciliation finds it. */
const MOST_WAITING = 50_000;

/** What session-cache is to be told of one contact. */
interface Change {
  readonly aor: string;
  readonly contact: string;
  /** The contact as it is now; undefined when it is gone. */
  readonly registration: Registration | undefined;
}

export interface RegistrationPorts {
  readonly routerId: string;
  readonly sessionCache: string;
  readonly tenants: () => TenantSource;
  readonly nodes: () => EtcdSource;
}

/** Tells session-cache which agents are registered at this fs-router, in order per contact, until it knows. */
export class Registrations implements Attendant, Component {
  readonly name = 'registrations';
  /** What expires needs no telling: session-cache knows when, and the agent may be at another router by then. */
  readonly subclasses = ['sofia::register', 'sofia::unregister'];
  readonly #app: App;
  readonly #ports: RegistrationPorts;
  readonly #client: SessionCacheServiceClient;
  /** The last state of each contact that session-cache does not know yet: newer ones replace older. */
  readonly #waiting = new Map<string, Change>();
  readonly #stop = new AbortController();
  #connection: EslConnection | undefined;
  #telling = false;

  constructor(app: App, ports: RegistrationPorts) {
    this.#app = app;
    this.#ports = ports;
    this.#client = grpcClient(app, SessionCacheServiceClient, ports.sessionCache);
  }

  async onOpen(connection: EslConnection): Promise<void> {
    this.#connection = connection;
    try {
      const list = await connection.bgapi('show registrations as json', COMMAND_MS);
      await this.#reconcile(rowsOf(list.body));
      this.#app.degraded('registrations', null);
    } catch (error) {
      if (!connection.closed) this.#app.degraded('registrations', (error as Error).message);
    }
  }

  onCustom(event: EslEvent): void {
    const subclass = event.get('Event-Subclass') ?? '';
    if (!this.subclasses.includes(subclass)) return;
    const aor = aorOf(
      event.get('from-user') ?? event.get('user'),
      event.get('from-host') ?? event.get('host'),
    );
    const kept = keptContact(event.get('contact') ?? '');
    if (!aor) return;
    if (!kept) {
      this.#forgetAll(aor);
      return;
    }
    const until = Number(event.get('expires') ?? 0);
    const registered = subclass === 'sofia::register' && until > 0;
    const at = Math.floor((event.number('Event-Date-Timestamp') ?? Date.now() * 1000) / 1000);
    this.#tell({
      aor,
      contact: kept.contact,
      registration: registered
        ? this.#registration(aor, kept.contact, {
            path: [...kept.path],
            expiresAt: new Date(at + until * 1000),
            callId: event.get('call-id') ?? '',
            userAgent: (event.get('user-agent') ?? '').slice(0, 256),
            // The event has no CSeq; its own time orders the REGISTERs of one Call-ID as well.
            cseq: Math.floor(at / 1000),
          })
        : undefined,
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#client.close();
  }

  /** FreeSWITCH keeps what "*" was to remove: it is told, and session-cache too. */
  #forgetAll(aor: string): void {
    this.#connection?.bgapi(`sofia profile mesh flush_inbound_reg ${aor}`, COMMAND_MS).catch(() => {});
    this.#tell({ aor, contact: '', registration: undefined });
  }

  #registration(aor: string, contact: string, more: Partial<Registration>): Registration | undefined {
    const domain = aor.slice(aor.indexOf('@') + 1);
    const tenants = [...this.#ports.tenants().directory.tenants.values()];
    const tenant = tenants.find((one) => one.domain.toLowerCase() === domain);
    if (!tenant) {
      this.#app.log.warn({ domain }, 'a registration of a domain that is no tenant');
      return undefined;
    }
    return Registration.fromPartial({
      aor,
      contact,
      tenantId: tenant.id,
      routerId: this.#ports.routerId,
      edgeId: this.#edgeOf(more.path?.[0] ?? ''),
      ...more,
    });
  }

  /** The edge whose address the path names. */
  #edgeOf(hop: string): string {
    const address = /^sips?:(?:[^@]*@)?([^;]+)/.exec(hop)?.[1] ?? '';
    const nodes = [...(this.#ports.nodes().view?.nodes.values() ?? [])];
    const edge = nodes.find(
      ({ role, sipUri, sipSources }) =>
        role === NodeRole.NODE_ROLE_KAMA_WSS &&
        [sipUri, ...sipSources].some((at) => at.replace(/^sips?:/, '').startsWith(address)),
    );
    return address && edge ? edge.id : '';
  }

  #tell(change: Change): void {
    const key = `${change.aor} ${change.contact}`;
    // A later change of a contact is told at the place of the later one.
    this.#waiting.delete(key);
    this.#waiting.set(key, change);
    if (this.#waiting.size > MOST_WAITING) this.#waiting.delete(this.#waiting.keys().next().value!);
    if (!this.#telling) void this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    this.#telling = true;
    while (!this.#stop.signal.aborted) {
      const next = this.#waiting.entries().next().value;
      if (!next) break;
      const [key, change] = next;
      if (!(await this.#tellOne(change))) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      else if (this.#waiting.get(key) === change) this.#waiting.delete(key);
    }
    this.#telling = false;
  }

  /** True when session-cache knows, or will never take it. */
  async #tellOne({ aor, contact, registration }: Change): Promise<boolean> {
    try {
      if (registration)
        await call(this.#client, 'putRegistration', { registration }, { deadlineMs: DEADLINE_MS });
      else await call(this.#client, 'removeRegistration', { aor, contact }, { deadlineMs: DEADLINE_MS });
      this.#app.degraded('session-cache', null);
      return true;
    } catch (error) {
      const { code, message } = toCallmeshError(error);
      // Somebody knows a newer one, or it is none: neither gets better by asking again.
      if (['conflict', 'already_exists', 'invalid_argument'].includes(code)) {
        this.#app.log.warn({ code, reason: message }, 'a registration was not taken');
        return true;
      }
      this.#app.degraded('session-cache', `${this.#waiting.size} registrations wait for it (${message})`);
      return false;
    }
  }

  /** What session-cache has of this router and FreeSWITCH has not goes; what it lacks comes. */
  async #reconcile(rows: readonly Row[]): Promise<void> {
    const known = await this.#known();
    const live = new Map<string, Row>();
    for (const row of rows) {
      const kept = keptContact(row.url);
      const aor = aorOf(row.reg_user, row.realm);
      if (kept && aor) live.set(`${aor} ${kept.contact}`, row);
    }
    for (const { aor, contact } of known)
      if (!live.has(`${aor} ${contact}`)) this.#tell({ aor, contact, registration: undefined });
    const told = new Set(known.map(({ aor, contact }) => `${aor} ${contact}`));
    for (const [key, row] of live) {
      if (told.has(key)) continue;
      const aor = key.slice(0, key.indexOf(' '));
      const { contact, path } = keptContact(row.url)!;
      const expiresAt = new Date(Number(row.expires) * 1000);
      const registration = this.#registration(aor, contact, {
        path: [...path],
        expiresAt,
        callId: row.token,
      });
      if (registration) this.#tell({ aor, contact, registration });
    }
  }

  async #known(): Promise<Registration[]> {
    const known: Registration[] = [];
    for (let pageToken = ''; ; ) {
      const page = await call(
        this.#client,
        'listRegistrations',
        { tenantId: '', edgeId: '', routerId: this.#ports.routerId, pageSize: PAGE, pageToken },
        { deadlineMs: DEADLINE_MS },
      );
      known.push(...page.registrations);
      pageToken = page.nextPageToken;
      if (!pageToken) return known;
    }
  }
}

/** A row of `show registrations as json`. */
interface Row {
  readonly reg_user: string;
  readonly realm: string;
  /** Call-ID. */
  readonly token: string;
  readonly url: string;
  /** Seconds since 1970. */
  readonly expires: string;
}

/** Without rows FreeSWITCH leaves the field out. */
function rowsOf(body: string): Row[] {
  const { rows } = JSON.parse(body) as { rows?: Row[] };
  return rows ?? [];
}

function aorOf(user: string | undefined, host: string | undefined): string | undefined {
  const aor = `${user ?? ''}@${host ?? ''}`.toLowerCase();
  return /^[^@\s]+@[^@\s]+$/.test(aor) ? aor : undefined;
}
