// SIP URIs, name-addr and Via (RFC 3261 sections 19.1, 20.10, 20.42).

/** Parameters in order; a parameter without "=" has the value undefined. */
type Params = Map<string, string | undefined>;

export interface SipUri {
  scheme: string;
  user?: string;
  password?: string;
  host: string;
  port?: number;
  params: Params;
  headers?: string;
}

/** Parses "sip:user@host:port;param?header"; undefined when it is not a SIP URI. */
export function parseUri(text: string): SipUri | undefined {
  const match = /^(sips?):(?:([^@]*)@)?(\[[^\]]*\]|[^:;?]+)(?::(\d{1,5}))?((?:;[^?]*)?)(?:\?(.*))?$/i.exec(
    text.trim(),
  );
  if (!match) return undefined;
  const [, scheme, userinfo, host, port, params, headers] = match;
  const uri: SipUri = {
    scheme: (scheme as string).toLowerCase(),
    host: host as string,
    params: parseParams(params ?? ''),
  };
  if (userinfo !== undefined) {
    const colon = userinfo.indexOf(':');
    uri.user = colon < 0 ? userinfo : userinfo.slice(0, colon);
    if (colon >= 0) uri.password = userinfo.slice(colon + 1);
  }
  if (port !== undefined) uri.port = Number(port);
  if (headers !== undefined) uri.headers = headers;
  return uri;
}

export function formatUri(uri: SipUri): string {
  const password = uri.password === undefined ? '' : `:${uri.password}`;
  const user = uri.user === undefined ? '' : `${uri.user}${password}@`;
  const port = uri.port === undefined ? '' : `:${uri.port}`;
  const headers = uri.headers === undefined ? '' : `?${uri.headers}`;
  return `${uri.scheme}:${user}${uri.host}${port}${formatParams(uri.params)}${headers}`;
}

/** Parses ";a=b;c". Names are lower-cased; values keep their quotes. */
function parseParams(text: string): Params {
  const params: Params = new Map();
  if (text === '') return params;
  for (const part of splitOutsideQuotes(text, ';')) {
    const item = part.trim();
    if (item === '') continue;
    const equals = item.indexOf('=');
    if (equals < 0) params.set(item.toLowerCase(), undefined);
    else params.set(item.slice(0, equals).trim().toLowerCase(), item.slice(equals + 1).trim());
  }
  return params;
}

function formatParams(params: Params): string {
  let text = '';
  for (const [name, value] of params) text += value === undefined ? `;${name}` : `;${name}=${value}`;
  return text;
}

export interface NameAddr {
  display?: string;
  /** The URI as written, without <>. */
  uri: string;
  /** Parameters of the header field (tag, expires), not those of the URI. */
  params: Params;
}

/** Parses From, To, Contact, Route and their like: `"Bob" <sip:b@h;lr>;tag=1` or `sip:b@h;tag=1`. */
export function parseNameAddr(text: string): NameAddr {
  const value = text.trim();
  const quoted = /^"((?:[^"\\]|\\.)*)"\s*/.exec(value);
  const open = value.indexOf('<', quoted ? quoted[0].length : 0);
  const close = open < 0 ? -1 : value.indexOf('>', open);
  if (open < 0 || close < 0) {
    // Without <> every parameter belongs to the header field (RFC 3261 section 20).
    const semicolon = value.indexOf(';');
    if (semicolon < 0) return { uri: value, params: new Map() };
    return { uri: value.slice(0, semicolon).trim(), params: parseParams(value.slice(semicolon)) };
  }
  const display = quoted ? (quoted[1] as string).replace(/\\(.)/g, '$1') : value.slice(0, open).trim();
  const addr: NameAddr = { uri: value.slice(open + 1, close), params: parseParams(value.slice(close + 1)) };
  if (display !== '') addr.display = display;
  return addr;
}

export function formatNameAddr(addr: NameAddr): string {
  const display = addr.display === undefined ? '' : `"${addr.display.replace(/["\\]/g, '\\$&')}" `;
  return `${display}<${addr.uri}>${formatParams(addr.params)}`;
}

/** The tag of a From or To value; undefined when it has none. */
export function tagOf(value: string | undefined): string | undefined {
  return value === undefined ? undefined : parseNameAddr(value).params.get('tag');
}

export interface Via {
  transport: string;
  host: string;
  port?: number;
  params: Params;
}

/** Parses one Via value; undefined when it is not one. */
export function parseVia(text: string): Via | undefined {
  const match =
    /^SIP\s*\/\s*2\.0\s*\/\s*([A-Za-z]+)\s+(\[[^\]]*\]|[^\s:;]+)\s*(?::\s*(\d{1,5}))?\s*(;.*)?$/i.exec(
      text.trim(),
    );
  if (!match) return undefined;
  const via: Via = {
    transport: (match[1] as string).toUpperCase(),
    host: match[2] as string,
    params: parseParams(match[4] ?? ''),
  };
  if (match[3] !== undefined) via.port = Number(match[3]);
  return via;
}

export function formatVia(via: Via): string {
  return `SIP/2.0/${via.transport} ${via.host}${via.port === undefined ? '' : `:${via.port}`}${formatParams(via.params)}`;
}

/** Where a message goes: never a host name, this stack does no DNS. */
export interface Target {
  transport: 'udp' | 'tcp';
  host: string;
  port: number;
}

/** The target a URI names (RFC 3263 without DNS: an address, its port or 5060, its transport or UDP). */
export function uriTarget(text: string): Target | undefined {
  const uri = parseUri(text);
  if (!uri) return undefined;
  const transport = uri.params.get('transport')?.toLowerCase() === 'tcp' ? 'tcp' : 'udp';
  const host = uri.host === 'localhost' ? '127.0.0.1' : uri.host.replace(/^\[|\]$/g, '');
  return { transport, host, port: uri.port ?? 5060 };
}

/** "127.0.0.1:5060", "sip:127.0.0.1:5060;transport=tcp" or "127.0.0.1:5060/tcp" as a target. Throws RangeError. */
export function parseTarget(text: string): Target {
  const [address, transport] = text.startsWith('sip:') ? [text, undefined] : text.split('/');
  const target = uriTarget(address?.startsWith('sip:') ? address : `sip:${address}`);
  if (!target) throw new RangeError(`not an address: ${text}`);
  return transport === 'tcp' ? { ...target, transport } : target;
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  if (!text.includes('"')) return text.split(separator);
  const parts: string[] = [];
  let current = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (c === '\\' && quoted) current += c + (text[++i] ?? '');
    else if (c === separator && !quoted) {
      parts.push(current);
      current = '';
    } else {
      if (c === '"') quoted = !quoted;
      current += c;
    }
  }
  parts.push(current);
  return parts;
}
