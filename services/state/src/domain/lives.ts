import { BackendState, type DesiredState, type LoadReport, Node } from '@callmesh/proto/node';
import type { Facts } from './facts.ts';

/** Lives remembered as over; a message that is late by more lives than that does not exist. */
const REMEMBERED = 8;

/** What is known of a node that was never seen before. */
export function firstLife(node: Node, wish: { desired: DesiredState; at: number }, now: number): Facts {
  return {
    node,
    seenAt: now,
    pastEpochs: [],
    leaseLostAt: undefined,
    load: undefined,
    loadAt: undefined,
    reportedDown: undefined,
    desired: wish.desired,
    desiredAt: wish.at,
  };
}

/** What is known after a node registered; undefined when the record is of a life that is over. */
export function withRecord(facts: Facts, record: Node, now: number): Facts | undefined {
  if (facts.pastEpochs.includes(record.epoch)) return undefined;
  const epoch = record.epoch || facts.node.epoch;
  const same = epoch === facts.node.epoch ? facts : nextLife(facts, epoch, now);
  const node = { ...record, epoch };
  return {
    ...same,
    node: isSame(node, same.node) ? same.node : node,
    leaseLostAt: undefined,
    // It registers again after it said that its server was gone: the connection is back.
    reportedDown: same.leaseLostAt === undefined ? same.reportedDown : undefined,
  };
}

/** What is known after a load report: the facts as they were when the report is late. */
export function withReport(facts: Facts, load: LoadReport, lateMs: number, now: number): Facts {
  if (facts.pastEpochs.includes(load.epoch)) return facts;
  const down = load.backend === BackendState.BACKEND_STATE_DOWN;
  if (load.epoch === '' && facts.node.epoch !== '')
    return down ? withDown(facts, load.backendReason, now) : facts;
  const life = load.epoch === facts.node.epoch ? facts : nextLife(facts, load.epoch, now);
  if (isOutOfOrder(life, load, lateMs, now)) return facts;
  const { startedSessions: _, ...rest } = load;
  const reportedDown = down ? (life.reportedDown ?? { at: now, reason: load.backendReason }) : undefined;
  return { ...life, load: { ...rest, startedSessions: [] }, loadAt: now, reportedDown };
}

/** What is known after the node's own agent said that its server is gone. */
export function withDown(facts: Facts, reason: string, now: number): Facts {
  return { ...facts, reportedDown: facts.reportedDown ?? { at: now, reason } };
}

/** Nothing of a life holds for the next one but where it is registered and what is wanted of it. */
function nextLife(facts: Facts, epoch: string, now: number): Facts {
  return {
    ...facts,
    node: { ...facts.node, epoch },
    seenAt: now,
    pastEpochs: [...facts.pastEpochs, facts.node.epoch].filter((past) => past !== '').slice(-REMEMBERED),
    load: undefined,
    loadAt: undefined,
    reportedDown: undefined,
    sipAnsweredAt: undefined,
  };
}

/** An agent that restarted counts from one again, and its first reports may be lost: only what is soon after is late. */
function isOutOfOrder({ load: last, loadAt }: Facts, load: LoadReport, lateMs: number, now: number): boolean {
  return last !== undefined && load.seq < last.seq && load.seq > 1 && now - loadAt! < lateMs;
}

function isSame(a: Node, b: Node): boolean {
  return JSON.stringify(Node.toJSON(a)) === JSON.stringify(Node.toJSON(b));
}
