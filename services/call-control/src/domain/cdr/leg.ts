import type { RoleName } from '@callmesh/runtime';

/** How much was told of a leg; what knows better has the higher number. */
export const Told = { answered: 0, created: 1, endUnseen: 2, ended: 3 } as const;
export type Told = (typeof Told)[keyof typeof Told];

/** One leg, as its events told it in whatever order they came. Texts that are not known are empty. */
export interface Leg {
  readonly nodeEpoch: string;
  readonly legUuid: string;
  readonly told: Told;
  readonly tenantId: string;
  readonly sessionId: string;
  readonly callId: string;
  readonly nodeId: string;
  readonly role: RoleName | '';
  readonly function: string;
  /** True when the platform called. */
  readonly outbound: boolean;
  readonly caller: string;
  readonly callee: string;
  readonly agentId: string;
  readonly trunkId: string;
  readonly startedAt: Date;
  readonly progressAt: Date | null;
  readonly answeredAt: Date | null;
  readonly bridgedAt: Date | null;
  /** Null while nobody told its end. */
  readonly endedAt: Date | null;
  /** "far", "near", or empty. */
  readonly endedBy: string;
  readonly hangupCause: string;
  readonly sipStatus: number;
  readonly q850Cause: number;
  readonly readCodec: string;
  readonly writeCodec: string;
  /** This and what follows: null when no packet was received. */
  readonly mos: number | null;
  readonly qualityPercent: number | null;
  readonly jitterMaxVariance: number | null;
  readonly packets: number | null;
  readonly lost: number | null;
  readonly packetsSent: number | null;
  readonly lastBridgeUuid: string;
  readonly transferred: boolean;
  readonly farAddress: string;
}

/** A leg, and the life of a node in which it goes on. */
export type Move = Pick<Leg, 'nodeEpoch' | 'legUuid'>;

/** A leg in the life it went on in: that the one before ended was no end of it. */
export function moved(leg: Leg, nodeEpoch: string): Leg {
  if (leg.told !== Told.endUnseen) return { ...leg, nodeEpoch };
  return { ...leg, nodeEpoch, told: Told.created, endedAt: null, endedBy: '', hangupCause: '' };
}

/** A leg's key as one text. */
export function legKey({ nodeEpoch, legUuid }: Pick<Leg, 'nodeEpoch' | 'legUuid'>): string {
  return `${nodeEpoch}/${legUuid}`;
}

/** The key of a leg's session as one text; empty where it has none. */
export function sessionKey({ tenantId, sessionId }: Pick<Leg, 'tenantId' | 'sessionId'>): string {
  return sessionId && `${tenantId}/${sessionId}`;
}

/**
 * What is known of a leg after one more thing was told. Neither the order matters
 * nor how often: of two tellings the one that knows better decides, and the other
 * fills what it leaves open. Returns `known` itself when there is nothing new.
 */
export function merge(known: Leg, told: Leg): Leg {
  const [better, other] = told.told > known.told ? [told, known] : [known, told];
  const leg = {
    ...filled(better, other),
    // Only the creation tells it exactly; what else guesses it guesses late.
    startedAt: earliest([known.startedAt, told.startedAt])!,
    answeredAt: earliest([known.answeredAt, told.answeredAt]),
  };
  return isSame(leg, known) ? known : leg;
}

function filled(better: Leg, other: Leg): Leg {
  const rest = Object.entries(better).filter(
    ([, value]) => value !== '' && value !== null && value !== false,
  );
  return { ...better, ...other, ...Object.fromEntries(rest) };
}

function isSame(a: Leg, b: Leg): boolean {
  return (Object.keys(a) as (keyof Leg)[]).every((field) => comparable(a[field]) === comparable(b[field]));
}

function comparable(value: Leg[keyof Leg]) {
  return value instanceof Date ? value.getTime() : value;
}

/** The first of these times; null when there is none. */
export function earliest(times: readonly (Date | null)[]): Date | null {
  return times.reduce((first, time) => (first && (!time || first <= time) ? first : time), null);
}

/** The last of these times; null when there is none. */
export function latest(times: readonly (Date | null)[]): Date | null {
  return times.reduce((last, time) => (last && (!time || last >= time) ? last : time), null);
}
