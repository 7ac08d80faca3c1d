import { NodeStatus } from '@callmesh/proto/state';
import type { Assessment } from './assess.ts';
import type { Doubt, Evidence } from './evidence.ts';
import { type Facts, isLate, type Limits, type Sources } from './facts.ts';

/** A node as far as doubt needs it. */
export interface Watched {
  readonly facts: Facts;
  /** Of its present life; undefined when it was not judged yet. */
  readonly before: Assessment | undefined;
}

/** How many nodes miss something newly: in one store alone, or in both. */
interface Tally {
  alone: number;
  both: number;
  of: number;
}

/**
 * Many nodes that vanish from one store at once, and from that one alone, are not
 * dead: the store lost them, or they lost the store. The same where every single
 * node is missing. Then what that store says counts against nobody. Half a mesh
 * that vanishes from both stores at once (a zone that lost power) is believed.
 */
export function doubtIn(nodes: Iterable<Watched>, sources: Sources, limits: Limits): Doubt {
  const etcd: Tally = { alone: 0, both: 0, of: 0 };
  const nats: Tally = { alone: 0, both: 0, of: 0 };
  for (const { facts, before } of nodes) {
    if (before?.status === NodeStatus.NODE_STATUS_DOWN) continue;
    const lost = facts.leaseLostAt !== undefined;
    // Reports stop for all at once but are due at different moments: look for the late, too.
    const late = isLate(facts, sources, limits.silenceMs / 2);
    count(etcd, lost, late, holds(before, 'lease-expired'));
    count(nats, late, lost, facts.loadAt === undefined || holds(before, 'load-silent'));
  }
  return { etcd: isToBlame(etcd), nats: isToBlame(nats) };
}

/** Who was missed before already, or never seen there, is no part of what happens now. */
function count(tally: Tally, missing: boolean, elsewhere: boolean, isOld: boolean): void {
  if (isOld) return;
  tally.of += 1;
  if (missing && elsewhere) tally.both += 1;
  else if (missing) tally.alone += 1;
}

function isToBlame({ alone, both, of }: Tally): boolean {
  const missing = alone + both;
  if (missing < 2) return false;
  return missing === of || (missing * 2 > of && alone > both);
}

function holds(before: Assessment | undefined, kind: Evidence['kind']): boolean {
  return before?.evidence.some((one) => one.kind === kind) ?? false;
}
