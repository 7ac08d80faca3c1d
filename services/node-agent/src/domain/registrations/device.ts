/** A contact of an agent at this router, as session-cache is told of it. */
export interface Device {
  /** Address of record without scheme. */
  readonly aor: string;
  /** Contact URI as it was registered. */
  readonly contact: string;
  /** URIs of the Path (RFC 3327), outermost first. */
  readonly path: readonly string[];
  readonly callId: string;
  readonly userAgent: string;
  /** When the REGISTER came, milliseconds. */
  readonly at: number;
  /** When the contact expires, milliseconds; 0 when it is gone. */
  readonly expiresAt: number;
}

/** User-Agent headers are cut to so many characters. */
export const MOST_AGENT = 256;

/** "user@domain" as all of the mesh writes it: the domain's case does not matter, the user's does. */
export function aorOf(user: string | undefined, host: string | undefined): string | undefined {
  const aor = `${user ?? ''}@${(host ?? '').toLowerCase()}`;
  return /^[^@\s]+@[^@\s]+$/.test(aor) ? aor : undefined;
}

/** Names a contact of an address of record; an AOR has no space. */
export function keyOf({ aor, contact }: Pick<Device, 'aor' | 'contact'>): string {
  return `${aor} ${contact}`;
}
