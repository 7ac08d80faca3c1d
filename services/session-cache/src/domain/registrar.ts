import type { ListRegistrationsRequest, Registration } from '@callmesh/proto/session';
import { fail } from '@callmesh/runtime';
import { type Codec, jsonCodec } from './codec.ts';
import {
  type AorRecord,
  type Contact,
  liveContacts,
  normalAor,
  unexpired,
  withContact,
  withoutContact,
} from './contacts.ts';
import { aorKey } from './keys.ts';
import { type Page, pageOf } from './page.ts';
import type { Replica } from './replica.ts';

/** How an address of record's contacts are stored: all in one value, so that they change together. */
export const aorCodec: Codec<AorRecord> = jsonCodec((value) =>
  typeof value.aor === 'string' && Array.isArray(value.contacts)
    ? (value as unknown as AorRecord)
    : undefined,
);

/** Most expired records dropped in one sweep. */
const BATCH = 500;

/** Which agent is registered where. */
export class Registrar {
  readonly #replica: Replica<AorRecord>;
  readonly #now: () => number;
  readonly #maxAors: number;

  /** `now` is Unix milliseconds. */
  constructor(replica: Replica<AorRecord>, now: () => number, maxAors: number) {
    this.#replica = replica;
    this.#now = now;
    this.#maxAors = maxAors;
  }

  /** Stores a contact until it expires; one that has expired is removed. Errors: conflict when it is older than what is stored. */
  async put(registration: Registration): Promise<Registration> {
    const contact = contactOf(registration);
    const of = { aor: normalAor(registration.aor), tenantId: registration.tenantId };
    const key = aorKey(of.aor);
    if (this.#replica.size >= this.#maxAors && !this.#replica.get(key))
      throw fail('unavailable', `more than ${this.#maxAors} addresses of record`);
    await this.#replica.change(key, (record) => withContact(record, of, contact, this.#now()));
    return toRegistration(of, contact);
  }

  /** Live contacts, newest first; from memory while the store is silent, if memory has ever been complete. */
  async get(aor: string): Promise<Registration[]> {
    const key = aorKey(normalAor(aor));
    const known = this.#replica.get(key);
    const record =
      known || (this.#replica.synced && !this.#replica.live) ? known : await this.#replica.read(key);
    return liveContacts(record?.value, this.#now()).map((contact) => toRegistration(record!.value, contact));
  }

  /** Removes one contact or, without one, all; returns how many. */
  async remove(aor: string, contact: string): Promise<number> {
    const key = aorKey(normalAor(aor));
    const { before, after } = await this.#replica.change(key, (record) => withoutContact(record, contact));
    return (before?.value.contacts.length ?? 0) - (after?.value.contacts.length ?? 0);
  }

  list({ pageSize, pageToken, ...filter }: ListRegistrationsRequest): Page<Registration> {
    return pageOf(this.#matching(filter), ({ aor, contact }) => `${aor}\0${contact}`, pageSize, pageToken);
  }

  *#matching({
    tenantId,
    edgeId,
    routerId,
  }: Pick<ListRegistrationsRequest, 'tenantId' | 'edgeId' | 'routerId'>): Generator<Registration> {
    const now = this.#now();
    for (const [, { value }] of this.#replica.entries()) {
      if (tenantId && value.tenantId !== tenantId) continue;
      for (const contact of liveContacts(value, now))
        if ((!edgeId || contact.edgeId === edgeId) && (!routerId || contact.routerId === routerId))
          yield toRegistration(value, contact);
    }
  }

  /** Drops expired contacts from the store. */
  async sweep(): Promise<void> {
    if (!this.#replica.live) return;
    const now = this.#now();
    let left = BATCH;
    for (const [key, { value }] of this.#replica.entries()) {
      if (unexpired(value, now) === value) continue;
      await this.#replica.change(key, (record) => unexpired(record, now));
      if (--left === 0) return;
    }
  }
}

function contactOf({ aor: _aor, tenantId: _tenant, expiresAt, ...rest }: Registration): Contact {
  return { ...rest, expiresAt: expiresAt?.getTime() ?? 0 };
}

function toRegistration(of: { aor: string; tenantId: string }, contact: Contact): Registration {
  return {
    ...contact,
    aor: of.aor,
    tenantId: of.tenantId,
    path: [...contact.path],
    expiresAt: new Date(contact.expiresAt),
  };
}
