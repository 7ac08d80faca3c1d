import type { Fields } from '../fields.ts';
import { keptContact } from '../xml/contact.ts';
import { aorOf, type Device, MOST_AGENT } from './device.ts';

/** What a router says of an agent's contact. */
export type Heard =
  | { readonly what: 'device'; readonly device: Device }
  /** Every contact is to go: "*" (RFC 3261 section 10.2.2). */
  | { readonly what: 'all gone'; readonly aor: string }
  /** Something changed, and only FreeSWITCH's list says what. */
  | { readonly what: 'unclear' };

export const REGISTERED = 'sofia::register';
export const UNREGISTERED = 'sofia::unregister';

/**
 * A URI in which nothing can have been an escape: events come percent-encoded, but for
 * escapes that were there before, so that "%40" and "@" look the same.
 */
const PLAIN =
  /^sips?:(?:[\w.~+=!*-]+@)?(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?(?:;[\w.-]+(?:=[\w.~:+-]+)?)*$/i;
/** What FreeSWITCH writes for "*". */
const STAR = /<?sips?:\(null\)@\(null\)/;

/** Reads an event of mod_sofia about a registration; undefined when it is about nobody. */
export function heardOf(event: Fields, now: number): Heard | undefined {
  const aor = aorOf(event.get('from-user'), event.get('from-host'));
  if (!aor) return undefined;
  const registers = event.get('Event-Subclass') === REGISTERED;
  const text = event.get('contact') ?? '';
  if (!registers && STAR.test(text)) return { what: 'all gone', aor };
  const kept = keptContact(text);
  if (!kept || ![kept.contact, ...kept.path].every((uri) => PLAIN.test(uri))) return { what: 'unclear' };
  const at = Math.floor((event.number('Event-Date-Timestamp') ?? now * 1000) / 1000);
  const seconds = event.number('expires') ?? 0;
  return {
    what: 'device',
    device: {
      aor,
      ...kept,
      callId: event.get('call-id') ?? '',
      userAgent: (event.get('user-agent') ?? '').slice(0, MOST_AGENT),
      at,
      expiresAt: registers && seconds > 0 ? at + seconds * 1000 : 0,
    },
  };
}
