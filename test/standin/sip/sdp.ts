// As much SDP (RFC 4566, RFC 3264) as a call with one audio stream needs.

type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export interface AudioOffer {
  address: string;
  port: number;
  /** RTP payload types in the order offered. */
  payloads: number[];
  direction: Direction;
  /** Payload type of telephone-event, if offered. */
  dtmf?: number;
}

/** Address, port, payload types and direction of the first audio stream; undefined when there is none. */
export function parseSdp(body: string): AudioOffer | undefined {
  let address = '';
  let direction: Direction = 'sendrecv';
  let audio: { port: number; payloads: number[] } | undefined;
  let dtmf: number | undefined;
  let inOther = false;
  for (const line of body.split(/\r?\n/)) {
    if (line.startsWith('m=')) {
      const match = /^m=audio (\d+)(?:\/\d+)? \S+ ?([\d ]*)$/.exec(line);
      inOther = !match || audio !== undefined;
      if (match && !audio) {
        audio = { port: Number(match[1]), payloads: (match[2] ?? '').split(' ').filter(Boolean).map(Number) };
      }
    } else if (inOther) {
      // Attributes of a stream we do not take part in.
    } else if (line.startsWith('c=IN IP')) address = line.split(' ')[2] ?? '';
    else if (/^a=(sendrecv|sendonly|recvonly|inactive)$/.test(line)) direction = line.slice(2) as Direction;
    else {
      const event = /^a=rtpmap:(\d+) telephone-event\/8000/.exec(line);
      if (event) dtmf = Number(event[1]);
    }
  }
  if (!audio) return undefined;
  return { address, ...audio, direction, ...(dtmf === undefined ? {} : { dtmf }) };
}

/** True when the far end put us on hold: it will not listen (RFC 3264 section 8.4, and the old 0.0.0.0). */
export function isHold(offer: AudioOffer): boolean {
  return offer.direction === 'sendonly' || offer.direction === 'inactive' || offer.address === '0.0.0.0';
}

const MIRROR: Record<Direction, Direction> = {
  sendrecv: 'sendrecv',
  sendonly: 'recvonly',
  recvonly: 'sendonly',
  inactive: 'inactive',
};

export interface SdpInput {
  address: string;
  port: number;
  /** Session id and version of the o= line; the version grows with each change. */
  id: number;
  version: number;
  direction?: Direction;
  payloads?: number[];
  dtmf?: number;
  owner?: string;
}

const NAMES: Record<number, string> = { 0: 'PCMU/8000', 8: 'PCMA/8000' };

/** The codecs of an offer that we know too, PCMA first: legs that are connected later have one codec then. */
export function commonCodecs({ payloads }: AudioOffer): number[] {
  return payloads.filter((payload) => payload in NAMES).sort((a, b) => b - a);
}

export function formatSdp(input: SdpInput): string {
  const owner = input.owner ?? 'FreeSWITCH';
  const payloads = input.payloads ?? [0, 8];
  const all = input.dtmf === undefined ? payloads : [...payloads, input.dtmf];
  const lines = [
    'v=0',
    `o=${owner} ${input.id} ${input.version} IN IP4 ${input.address}`,
    `s=${owner}`,
    `c=IN IP4 ${input.address}`,
    't=0 0',
    `m=audio ${input.port} RTP/AVP ${all.join(' ')}`,
    ...payloads.map((payload) => `a=rtpmap:${payload} ${NAMES[payload] ?? 'PCMU/8000'}`),
    ...(input.dtmf === undefined
      ? []
      : [`a=rtpmap:${input.dtmf} telephone-event/8000`, `a=fmtp:${input.dtmf} 0-15`]),
    'a=ptime:20',
    `a=${input.direction ?? 'sendrecv'}`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

/** Answers an offer: the first codec both know, the direction mirrored. undefined when no codec is common. */
export function answerSdp(
  offer: AudioOffer,
  own: Pick<SdpInput, 'address' | 'port' | 'id' | 'version'>,
): string | undefined {
  const [codec] = commonCodecs(offer);
  if (codec === undefined) return undefined;
  return formatSdp({
    ...own,
    payloads: [codec],
    direction: MIRROR[offer.direction],
    ...(offer.dtmf === undefined ? {} : { dtmf: offer.dtmf }),
  });
}
