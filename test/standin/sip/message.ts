// The shape of a SIP message (RFC 3261 section 7): header fields keep their
// order and spelling, and are looked up by full or compact name in any case.

const COMPACT: Record<string, string> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
};

export interface HeaderField {
  /** Lower case, compact forms written out: what look-ups compare. */
  readonly key: string;
  readonly name: string;
  value: string;
}

const keys = new Map<string, string>();

/** The name under which a header field is found, e.g. "i" and "CALL-ID" are both "call-id". */
function headerKey(name: string): string {
  let key = keys.get(name);
  if (key === undefined) {
    const lower = name.toLowerCase();
    key = COMPACT[lower] ?? lower;
    // Names come from the network: a cache without a limit would be a leak.
    if (keys.size < 500) keys.set(name, key);
  }
  return key;
}

export class Headers {
  readonly fields: HeaderField[] = [];

  /** The first value of this name, unsplit. */
  get(name: string): string | undefined {
    const key = headerKey(name);
    for (const field of this.fields) if (field.key === key) return field.value;
    return undefined;
  }

  /** Every value of this name in order, split at commas that separate values (not those inside quotes or <>). */
  list(name: string): string[] {
    const key = headerKey(name);
    const values: string[] = [];
    for (const field of this.fields) if (field.key === key) values.push(...splitList(field.value));
    return values;
  }

  /** Every field of this name, unsplit. */
  all(name: string): string[] {
    const key = headerKey(name);
    return this.fields.filter((field) => field.key === key).map((field) => field.value);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  add(name: string, value: string): this {
    this.fields.push({ key: headerKey(name), name, value });
    return this;
  }

  /** Puts a field before all others: a Via of one's own. */
  prepend(name: string, value: string): this {
    this.fields.unshift({ key: headerKey(name), name, value });
    return this;
  }

  /** Replaces every field of this name by one. */
  set(name: string, value: string): this {
    const key = headerKey(name);
    const at = this.fields.findIndex((field) => field.key === key);
    if (at < 0) return this.add(name, value);
    this.remove(name);
    this.fields.splice(at, 0, { key, name, value });
    return this;
  }

  remove(name: string): this {
    const key = headerKey(name);
    for (let i = this.fields.length - 1; i >= 0; i--)
      if (this.fields[i]?.key === key) this.fields.splice(i, 1);
    return this;
  }

  clone(): Headers {
    const copy = new Headers();
    for (const { key, name, value } of this.fields) copy.fields.push({ key, name, value });
    return copy;
  }
}

export interface SipRequest {
  kind: 'request';
  method: string;
  uri: string;
  headers: Headers;
  body: string;
}

export interface SipResponse {
  kind: 'response';
  status: number;
  reason: string;
  headers: Headers;
  body: string;
}

export type SipMessage = SipRequest | SipResponse;

/** Extra header fields as callers give them: order and repetition matter, so pairs, or a plain object when they do not. */
export type ExtraHeaders = Record<string, string> | [string, string][];

export function headerPairs(extra: ExtraHeaders | undefined): [string, string][] {
  if (!extra) return [];
  return Array.isArray(extra) ? extra : Object.entries(extra);
}

/** CSeq as number and method; NaN when it is not one. */
export function cseqOf(message: SipMessage): { number: number; method: string } {
  const [number, method] = (message.headers.get('cseq') ?? '').trim().split(/\s+/);
  return { number: /^\d+$/.test(number ?? '') ? Number(number) : Number.NaN, method: method ?? '' };
}

/** Splits "a, b" where the comma separates two values: not inside "..." nor inside <...>. */
export function splitList(value: string): string[] {
  if (!value.includes(',')) return value.trim() === '' ? [] : [value.trim()];
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  let angle = false;
  for (let i = 0; i < value.length; i++) {
    const c = value[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '<') angle = true;
    else if (c === '>') angle = false;
    else if (c === ',' && !angle) {
      parts.push(value.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(value.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}
