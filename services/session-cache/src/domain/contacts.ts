import { fail } from '@callmesh/runtime';

/** One device's contact of an address of record. */
export interface Contact {
  readonly contact: string;
  readonly edgeId: string;
  readonly path: readonly string[];
  readonly routerId: string;
  readonly userAgent: string;
  readonly instanceId: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  readonly callId: string;
  readonly cseq: number;
}

/** All contacts of one address of record, newest first. */
export interface AorRecord {
  readonly aor: string;
  readonly tenantId: string;
  readonly contacts: readonly Contact[];
}

/** Most contacts an address of record keeps: a browser that reloads leaves one behind each time. */
const MAX_CONTACTS = 16;

/** The domain's case does not matter, the user's does (RFC 3261 section 19.1.4). */
export function normalAor(aor: string): string {
  const at = aor.lastIndexOf('@');
  return aor.slice(0, at) + aor.slice(at).toLowerCase();
}

/**
 * Takes a contact into a record by RFC 3261 section 10.3: one of the same
 * REGISTER dialog (Call-ID) with a lower CSeq is refused with `conflict`; one of
 * the same device (RFC 5626 instance) replaces that device's. A contact that has
 * expired already is a removal. Undefined: nothing is left.
 */
export function withContact(
  record: AorRecord | undefined,
  of: { aor: string; tenantId: string },
  contact: Contact,
  now: number,
): AorRecord | undefined {
  const live = liveContacts(record, now);
  if (record && live.length && record.tenantId !== of.tenantId)
    throw fail('already_exists', 'registration.aor: expected an address of this tenant', {
      field: 'registration.aor',
    });
  const [same, others] = split(live, contact);
  if (same.some((known) => known.callId === contact.callId && contact.cseq < known.cseq))
    throw fail('conflict', 'registration.cseq: a newer REGISTER of this dialog was stored already', {
      field: 'registration.cseq',
    });
  const kept = contact.expiresAt > now ? [contact, ...others] : others;
  const contacts = kept.length > MAX_CONTACTS ? withoutSoonest(kept) : kept;
  return contacts.length ? { ...of, contacts } : undefined;
}

/** Removes one contact, or all when none is named. */
export function withoutContact(record: AorRecord | undefined, contact: string): AorRecord | undefined {
  const contacts = contact ? (record?.contacts ?? []).filter((known) => known.contact !== contact) : [];
  if (!record || contacts.length === record.contacts.length) return record;
  return contacts.length ? { ...record, contacts } : undefined;
}

/** Drops what has expired. */
export function unexpired(record: AorRecord | undefined, now: number): AorRecord | undefined {
  const contacts = liveContacts(record, now);
  if (!record || contacts.length === record.contacts.length) return record;
  return contacts.length ? { ...record, contacts } : undefined;
}

export function liveContacts(record: AorRecord | undefined, now: number): Contact[] {
  return (record?.contacts ?? []).filter(({ expiresAt }) => expiresAt > now);
}

function split(contacts: readonly Contact[], like: Contact): [Contact[], Contact[]] {
  const isSame = (known: Contact) =>
    known.contact === like.contact || (like.instanceId !== '' && known.instanceId === like.instanceId);
  return [contacts.filter(isSame), contacts.filter((known) => !isSame(known))];
}

function withoutSoonest(contacts: Contact[]): Contact[] {
  const [newest, ...others] = contacts;
  const soonest = others.reduce((a, b) => (b.expiresAt < a.expiresAt ? b : a));
  return [newest!, ...others.filter((contact) => contact !== soonest)];
}
