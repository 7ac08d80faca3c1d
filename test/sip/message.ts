/** Just enough SIP to write and read messages by hand: nothing is checked, nothing is made up. */

export interface SipMessage {
  readonly raw: Buffer;
  readonly startLine: string;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: string;
  /** Set on requests. */
  readonly method: string | undefined;
  /** Request-URI, set on requests. */
  readonly uri: string | undefined;
  /** Set on replies. */
  readonly status: number | undefined;
}

export function parse(raw: Buffer): SipMessage {
  const text = raw.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const head = end < 0 ? text : text.slice(0, end);
  const [startLine = '', ...lines] = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  const reply = /^SIP\/2\.0 (\d{3})/.exec(startLine);
  const request = reply ? undefined : /^(\S+) (\S+) SIP\/2\.0$/.exec(startLine);
  return {
    raw,
    startLine,
    headers,
    body: end < 0 ? '' : text.slice(end + 4),
    method: request?.[1],
    uri: request?.[2],
    status: reply ? Number(reply[1]) : undefined,
  };
}

/** All values of a header, in order; compact forms are not known. */
export function all(message: SipMessage, name: string): string[] {
  return message.headers.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

/** The first value of a header, or an empty string. */
export function header(message: SipMessage, name: string): string {
  return all(message, name)[0] ?? '';
}

/** The method a message belongs to: its own, or the CSeq's for a reply. */
export function methodOf(message: SipMessage): string {
  return message.method ?? header(message, 'CSeq').split(' ')[1] ?? '';
}

export function tagOf(nameAddr: string): string {
  return /;tag=([^;>\s]+)/.exec(nameAddr)?.[1] ?? '';
}

/** The URI inside `<...>`, or the whole value when there are no brackets. */
export function uriOf(nameAddr: string): string {
  return /<([^>]*)>/.exec(nameAddr)?.[1] ?? nameAddr.split(';')[0] ?? '';
}

/** Puts a message together. `Content-Length` is added, nothing else is. */
export function build(
  startLine: string,
  headers: ReadonlyArray<readonly [string, string]>,
  body = '',
): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return `${[startLine, ...lines, `Content-Length: ${Buffer.byteLength(body)}`].join('\r\n')}\r\n\r\n${body}`;
}

export interface ReplyOptions {
  readonly toTag?: string;
  readonly contact?: string;
  readonly body?: string;
  readonly headers?: ReadonlyArray<readonly [string, string]>;
}

/** A reply to `request` as RFC 3261 section 8.2.6 puts it together. */
export function replyTo(
  request: SipMessage,
  status: number,
  reason: string,
  options: ReplyOptions = {},
): string {
  const to = header(request, 'To');
  const tagged = options.toTag && !tagOf(to) ? `${to};tag=${options.toTag}` : to;
  return build(
    `SIP/2.0 ${status} ${reason}`,
    [
      ...all(request, 'Via').map((via) => ['Via', via] as const),
      ...all(request, 'Record-Route').map((route) => ['Record-Route', route] as const),
      ['From', header(request, 'From')],
      ['To', tagged],
      ['Call-ID', header(request, 'Call-ID')],
      ['CSeq', header(request, 'CSeq')],
      ...(options.contact ? [['Contact', `<${options.contact}>`] as const] : []),
      ...(options.headers ?? []),
      ...(options.body ? [['Content-Type', 'application/sdp'] as const] : []),
    ],
    options.body,
  );
}

/** An SDP of one audio stream. */
export function sdp(address: string, port: number): string {
  return [
    'v=0',
    `o=- 1 1 IN IP4 ${address}`,
    's=-',
    `c=IN IP4 ${address}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 8`,
    'a=rtpmap:8 PCMA/8000',
    '',
  ].join('\r\n');
}
