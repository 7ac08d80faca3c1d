export interface SipUri {
  /** User part without parameters and password; empty when there is none. */
  readonly user: string;
  /** Host without port, lower case; empty for tel URIs. */
  readonly host: string;
  /** As written; undefined when not. */
  readonly port: number | undefined;
}

const SIP = /^sips?:(?:([^@\s]*)@)?(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?(?:[;?][^\s]*)?$/i;
const TEL = /^tel:(\+?[0-9*#().-]+)(?:;[^\s]*)?$/i;
/** user = unreserved / escaped / user-unreserved (RFC 3261 section 25.1), and "#" which PBXs send. */
const USER = /^(?:[A-Za-z0-9\-_.!~*'()&=+$,?/#]|%[0-9A-Fa-f]{2})*$/;
const VISUAL_SEPARATORS = /[-.()]/g;

/** Parses a SIP or tel URI (RFC 3261 section 19.1, RFC 3966); undefined when it is neither. */
export function parseSipUri(text: string): SipUri | undefined {
  const tel = TEL.exec(text);
  if (tel) return { user: withoutSeparators(tel[1]!), host: '', port: undefined };
  const sip = SIP.exec(text);
  if (!sip) return undefined;
  const user = withoutSeparators(unescapeDigits((sip[1] ?? '').split(/[;:]/, 1)[0]!));
  if (!USER.test(user)) return undefined;
  return { user, host: sip[2]!.toLowerCase(), port: sip[3] === undefined ? undefined : Number(sip[3]) };
}

/** "%2B49" is "+49": what is escaped without need must not hide a number. */
function unescapeDigits(user: string): string {
  return user.replace(/%(2[Bb]|3\d)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** "+49(30)12-34" and "+49301234" are one number (RFC 3966 section 5.1.1); names keep their dots. */
function withoutSeparators(user: string): string {
  return /^\+?[0-9(][0-9().-]*$/.test(user) ? user.replace(VISUAL_SEPARATORS, '') : user;
}

/** Host of a SIP URI, lower case; empty when it has none. */
export function hostOf(uri: string): string {
  return parseSipUri(uri)?.host ?? '';
}

/** "host:port" of a trunk's contact with its transport, as a URI to call there needs it: 5060 and udp are what is not said. */
export function hostPort(uri: string): string {
  const { host, port } = parseSipUri(uri) ?? { host: '', port: undefined };
  const transport = /;transport=([a-z]+)/i.exec(uri)?.[1]?.toLowerCase();
  const secure = transport === 'tls' || /^sips:/i.test(uri);
  const suffix =
    transport && transport !== 'udp' ? `;transport=${transport}` : secure ? ';transport=tls' : '';
  return `${host}:${port ?? (secure ? 5061 : 5060)}${suffix}`;
}
