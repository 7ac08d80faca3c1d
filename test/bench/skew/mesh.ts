import { decide } from '../../../services/policy/src/domain/decide.ts';
import {
  buildRequest,
  buildSnapshot,
  EPOCH,
  type TestSnapshot,
} from '../../../services/policy/test/support/world.ts';
import { callSpec, world } from '../../../services/policy/test/support/world-schema.ts';
import type { Balancer, SimulatedNode } from './balancer.ts';
import type { Clock } from './clock.ts';

/** As in policy: announcements are collected so long, and what has run out is dropped so often. */
const FLUSH_MS = 5;
const EXPIRE_MS = 200;
/** As in node-agent: a change is told at once, but this long after the last report at the soonest. */
const COALESCE_MS = 100;
/** A message over NATS, from and to. */
const MESSAGE_MS = [1, 5] as const;

interface Reporter {
  started: string[];
  seq: number;
  due: boolean;
  last: number;
}

/**
 * Several policy instances: their decisions and counts are policy's own code; how late they hear
 * of each other's assignments and of the nodes' loads is modelled after its adapters.
 */
export function policies(
  strategy: string,
  instances: number,
  nodes: readonly SimulatedNode[],
  clock: Clock,
  random: () => number,
): Balancer {
  const snapshots = Array.from({ length: instances }, () => snapshotOf(strategy, nodes));
  const index = new Map(nodes.map(({ id }, at) => [id, at]));
  const reporters: Reporter[] = nodes.map(() => ({ started: [], seq: 1, due: false, last: 0 }));
  const request = buildRequest(callSpec.parse({}));
  const message = () => MESSAGE_MS[0] + random() * (MESSAGE_MS[1] - MESSAGE_MS[0]);

  const report = (at: number) => {
    const { id, sessions, capacity } = nodes[at]!;
    const reporter = reporters[at]!;
    reporter.due = false;
    reporter.last = clock.now;
    const startedSessions = reporter.started;
    reporter.started = [];
    reporter.seq += 1;
    const { seq } = reporter;
    for (const { ledger } of snapshots)
      clock.after(message(), () =>
        ledger.report(
          { nodeId: id, epoch: EPOCH, sessions, max: capacity, seq, startedSessions, backend: 'up' },
          clock.now,
        ),
      );
  };
  const changed = (at: number) => {
    const reporter = reporters[at]!;
    if (reporter.due) return;
    reporter.due = true;
    clock.after(Math.max(0, reporter.last + COALESCE_MS - clock.now), () => report(at));
  };
  const expire = () => {
    for (const { ledger } of snapshots) ledger.expire(clock.now);
    clock.after(EXPIRE_MS, expire);
  };
  expire();

  return {
    select(callId, door) {
      const own = snapshots[door]!;
      const { targets, groupId } = decide({ ...request, callId }, own, clock.now, random);
      const { id } = targets[0]!;
      own.ledger.assign(id, EPOCH, callId, clock.now);
      own.turns.set(groupId, id);
      for (const other of snapshots)
        if (other !== own)
          clock.after(random() * FLUSH_MS + message(), () =>
            other.ledger.assign(id, EPOCH, callId, clock.now),
          );
      return index.get(id)!;
    },
    began(node, callId) {
      reporters[node]!.started.push(callId);
      changed(node);
    },
    over: changed,
  };
}

function snapshotOf(strategy: string, nodes: readonly SimulatedNode[]): TestSnapshot {
  const rows = nodes.map(({ id, capacity }, at) => [
    id,
    { group: 'g', at: `10.0.${at >> 8}.${at & 255}:5060`, max: capacity, weight: capacity / 100 },
  ]);
  return buildSnapshot(
    world.parse({
      tenants: {
        acme: { domain: 'acme.example', trunks: { pbx: { from: ['192.0.2.10'] } }, links: { general: 'g' } },
      },
      groups: { g: { strategy } },
      nodes: Object.fromEntries(rows),
    }),
  );
}
