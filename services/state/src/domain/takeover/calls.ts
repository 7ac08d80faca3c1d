import type { RecoverySnapshot } from '@callmesh/proto/takeover';

/** What is kept of one call: legs that are connected, or of one session. They go on together, on one node. */
export interface Call {
  /** Named by its first leg, whichever replica counts: who claims that leg has claimed the call. */
  readonly anchor: RecoverySnapshot;
  readonly legs: readonly RecoverySnapshot[];
}

/** Legs as calls. All of one life of a node belong in here, also those that are done: a call's name stays the same. */
export function callsOf(legs: readonly RecoverySnapshot[]): Call[] {
  const sorted = [...legs].sort((a, b) => (a.legUuid < b.legUuid ? -1 : 1));
  const callOf = new Map(sorted.map((leg) => [leg.legUuid, [leg]]));
  const ofSession = new Map<string, string>();
  for (const leg of sorted) {
    const other = callOf.has(leg.otherLegUuid) ? leg.otherLegUuid : undefined;
    const session = ofSession.get(leg.sessionId);
    ofSession.set(leg.sessionId, leg.legUuid);
    for (const with_ of [other, session]) if (with_) join(callOf, leg.legUuid, with_);
  }
  return [...new Set(callOf.values())].map((of) => {
    const inOrder = of.sort((a, b) => (a.legUuid < b.legUuid ? -1 : 1));
    return { anchor: inOrder[0]!, legs: inOrder };
  });
}

function join(callOf: Map<string, RecoverySnapshot[]>, a: string, b: string): void {
  const [one, other] = [callOf.get(a)!, callOf.get(b)!];
  if (one === other) return;
  const both = [...one, ...other];
  for (const { legUuid } of both) callOf.set(legUuid, both);
}
