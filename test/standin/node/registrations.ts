import type { SipRequest } from '../sip/message.ts';
import { parseNameAddr, parseUri } from '../sip/uri.ts';

/** A device's contact, as mod_sofia keeps it for `multiple-registrations=contact`. */
interface Registration {
  readonly user: string;
  readonly host: string;
  readonly callId: string;
  /** `"" <sip:alice@10.0.0.1;transport=ws;fs_path=<sip:edge;lr>>`. */
  readonly contact: string;
  readonly agent: string;
  /** Milliseconds. */
  readonly expiresAt: number;
}

/** So much longer than it told the device FreeSWITCH keeps a contact (`sip-expires-late-margin`), milliseconds. */
const MARGIN_MS = 10_000;
const RULE = '='.repeat(97);

type Fire = (subclass: string, fields: [string, string][]) => void;

/** The registrations of a router: its door has asked for credentials and checked them. */
export class Registrations {
  readonly #kept = new Map<string, Registration>();
  readonly #fire: Fire;

  constructor(fire: Fire) {
    this.#fire = fire;
  }

  /** Keeps or removes the contact of a REGISTER; headers of the 200. */
  take(request: SipRequest): Record<string, string> {
    const { headers } = request;
    const { user = '', host = '' } = parseUri(parseNameAddr(headers.get('to') ?? '').uri) ?? {};
    const written = headers.get('contact');
    if (written === undefined) return {};
    const { uri, params } = parseNameAddr(written);
    const path = headers.list('path').join(',');
    const expires = Number(params.get('expires') ?? headers.get('expires') ?? 3600);
    const bare = written.trim() === '*' ? 'sip:(null)@(null)' : uri;
    const registration = {
      ...{ user, host, callId: headers.get('call-id') ?? '', agent: headers.get('user-agent') ?? '' },
      contact: `"" <${bare}${path && `;fs_path=${path}`}>`,
      expiresAt: Date.now() + expires * 1000,
    };
    const key = `${user}@${host} ${uri}`;
    if (expires > 0) this.#kept.set(key, registration);
    else this.#kept.delete(key);
    this.#fire(`sofia::${expires > 0 ? 'register' : 'unregister'}`, eventOf(registration, expires));
    return { ...(path && { Path: path }), ...(expires > 0 && { Contact: `<${uri}>;expires=${expires}` }) };
  }

  /** `sofia profile <name> flush_inbound_reg <user@host>`. */
  flush(aor: string): void {
    for (const key of this.#kept.keys()) if (key.startsWith(`${aor} `)) this.#kept.delete(key);
  }

  /** `sofia status profile <name> reg`. */
  list(): string {
    const now = Date.now();
    const kept = [...this.#kept.values()].filter(({ expiresAt }) => expiresAt + MARGIN_MS > now);
    const blocks = kept.map((registration) => block(registration, now));
    return `\nRegistrations:\n${RULE}\n${blocks.join('')}Total items returned: ${kept.length}\n${RULE}\n`;
  }
}

function eventOf({ user, host, callId, contact, agent }: Registration, expires: number): [string, string][] {
  return [
    ['profile-name', 'mesh'],
    ['from-user', user],
    ['from-host', host],
    ['contact', contact],
    ['call-id', callId],
    ['user-agent', agent],
    ['expires', String(expires)],
  ];
}

function block({ user, host, callId, contact, agent, expiresAt }: Registration, now: number): string {
  const left = Math.ceil((expiresAt + MARGIN_MS - now) / 1000);
  const lines = [
    `Call-ID:    \t${callId}`,
    `User:       \t${user}@${host}`,
    `Contact:    \t${contact}`,
    `Agent:      \t${agent}`,
    `Status:     \tRegistered(UDP)(unknown) EXP(${new Date(expiresAt).toISOString()}) EXPSECS(${left})`,
  ];
  return `${lines.join('\n')}\n\n`;
}
