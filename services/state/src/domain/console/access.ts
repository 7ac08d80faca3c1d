import { createHmac, timingSafeEqual } from 'node:crypto';

/** Who may look. */
export interface Operator {
  readonly name: string;
  readonly token: string;
  /** True when numbers and users are shown whole. */
  readonly numbers: boolean;
}

/** Wrong tokens from one address in one span of time: guessing is slow, and locks out nobody else. */
const WRONG_MOST = 20;
const WRONG_SPAN_MS = 60_000;
const ADDRESSES_MOST = 10_000;

/**
 * Knows operators by their token, and their browsers by a signed cookie: every
 * replica reads it, also after a restart, and a new token ends what the old one opened.
 */
export class Access {
  readonly #operators: readonly Operator[];
  readonly #lastsMs: number;
  /** When tokens were wrong, by address. */
  readonly #wrong = new Map<string, number[]>();

  constructor(operators: readonly Operator[], lastsMs: number) {
    this.#operators = operators;
    this.#lastsMs = lastsMs;
  }

  /** The operator of a token; undefined for a wrong one. "wait" when too many from there were wrong lately. */
  byToken(token: string, from: string, now: number): Operator | 'wait' | undefined {
    const wrong = (this.#wrong.get(from) ?? []).filter((at) => now - at < WRONG_SPAN_MS);
    if (wrong.length >= WRONG_MOST) return 'wait';
    const found = this.#operators.find((operator) => isEqual(operator.token, token));
    if (found) return found;
    if (this.#wrong.size >= ADDRESSES_MOST) this.#wrong.clear();
    this.#wrong.set(from, [...wrong, now]);
    return undefined;
  }

  /** What a browser keeps after its operator signed in. */
  issue(operator: Operator, now: number): string {
    const claim = `${operator.name}.${now + this.#lastsMs}`;
    return `${claim}.${signature(operator, claim)}`;
  }

  /** The operator of a cookie that was issued here or by another replica, and has not expired. */
  byCookie(cookie: string, now: number): Operator | undefined {
    const [name, expires, signed] = cookie.split('.');
    const operator = this.#operators.find((one) => one.name === name);
    if (!operator || !signed || !(Number(expires) > now)) return undefined;
    return isEqual(signed, signature(operator, `${name}.${expires}`)) ? operator : undefined;
  }
}

function signature({ token }: Operator, claim: string): string {
  return createHmac('sha256', token).update(`callmesh console ${claim}`).digest('base64url');
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
