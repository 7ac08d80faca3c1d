import { type EslMessage, parseHeaders } from './message.ts';

/** An event of FreeSWITCH: names, decoded values, and the bytes it carries, if any. */
export class EslEvent {
  readonly #raw: Map<string, string>;
  readonly #encoded: boolean;
  /** What follows the event's own headers, e.g. the result of a background job. */
  readonly body: string;

  private constructor(raw: Map<string, string>, encoded: boolean, body: string) {
    this.#raw = raw;
    this.#encoded = encoded;
    this.body = body;
  }

  /** From a `text/event-plain` message; values are percent-encoded there. */
  static fromPlain(message: EslMessage): EslEvent {
    const end = message.body.indexOf('\n\n', 0, 'latin1');
    const block = message.body.toString('utf8', 0, end < 0 ? undefined : end);
    const body = end < 0 ? '' : message.body.toString('utf8', end + 2);
    return new EslEvent(parseHeaders(block), true, body);
  }

  /** From the flat JSON of `uuid_dump <uuid> json`; undefined when it is none. */
  static fromJson(text: string): EslEvent | undefined {
    try {
      const value: unknown = JSON.parse(text);
      if (value === null || typeof value !== 'object') return undefined;
      const entries = Object.entries(value).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      );
      return new EslEvent(new Map(entries), false, '');
    } catch {
      return undefined;
    }
  }

  get name(): string {
    return this.get('Event-Name') ?? '';
  }

  /** Core-UUID: which life of FreeSWITCH speaks. */
  get coreUuid(): string {
    return this.get('Core-UUID') ?? '';
  }

  /** A header's decoded value; names are as FreeSWITCH writes them. */
  get(name: string): string | undefined {
    const raw = this.#raw.get(name);
    return raw === undefined || !this.#encoded ? raw : percentDecode(raw);
  }

  /** A channel variable's value. */
  variable(name: string): string | undefined {
    return this.get(`variable_${name}`);
  }

  /** A header as a number; undefined when it is absent or none. */
  number(name: string): number | undefined {
    const value = this.get(name);
    if (value === undefined || value === '') return undefined;
    const number = Number(value);
    return Number.isFinite(number) ? number : undefined;
  }
}

/** Decodes %XX as UTF-8; what is no valid encoding stays as it came. */
export function percentDecode(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return lenientDecode(value);
  }
}

function lenientDecode(value: string): string {
  const bytes: Buffer[] = [];
  let at = 0;
  for (const match of value.matchAll(/%([0-9a-fA-F]{2})/g)) {
    bytes.push(Buffer.from(value.slice(at, match.index)), Buffer.from([Number.parseInt(match[1]!, 16)]));
    at = match.index + 3;
  }
  bytes.push(Buffer.from(value.slice(at)));
  return Buffer.concat(bytes).toString('utf8');
}
