import { BackendState, DesiredState, LoadReport, Node, NodeRole } from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { NodeTable } from './table.ts';

const limits = { silenceMs: 3_000, graceMs: 8_000, keepDownMs: 60_000 };
const node = (id: string, epoch = 'life-1'): Node =>
  Node.fromPartial({ id, role: NodeRole.NODE_ROLE_MEDIA, group: 'g', sipUri: 'sip:127.0.0.1:5080', epoch });

let table: NodeTable;
let now: number;
let seq = 0;

const report = (id: string, more: Partial<LoadReport> = {}) =>
  table.reported(
    LoadReport.fromPartial({
      nodeId: id,
      epoch: 'life-1',
      sessions: 1,
      seq: ++seq,
      backend: BackendState.BACKEND_STATE_UP,
      ...more,
    }),
    now,
  );
const status = (id: string) => {
  table.tick(now);
  return table.rows.get(id)?.status;
};
const kinds = (id: string) => table.rows.get(id)!.evidence.map((one) => one.kind);

/** Time passes in which the named nodes go on reporting. */
function pass(ms: number, reporting: string[] = []): void {
  for (const until = now + ms; now < until; ) {
    now += Math.min(500, until - now);
    for (const id of reporting) report(id);
  }
}

beforeEach(() => {
  table = new NodeTable(limits);
  now = 1_000_000;
  table.source('etcd', true, now);
  table.source('nats', true, now);
  pass(20_000);
  for (const id of ['a', 'b', 'c']) {
    table.registered(node(id), now);
    report(id);
  }
});

describe('a node', () => {
  it('that is registered and reports is up', () => {
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('that has not reported yet is suspect', () => {
    table.registered(node('d'), now);
    expect(status('d')).toBe(NodeStatus.NODE_STATUS_SUSPECT);
    expect(kinds('d')).toEqual(['load-silent']);
  });

  it('that has not reported yet is suspect also when nobody has', () => {
    const fresh = new NodeTable(limits);
    for (const source of ['etcd', 'nats'] as const) fresh.source(source, true, now);
    for (const id of ['a', 'b']) fresh.registered(node(id), now);
    fresh.tick(now);
    expect([...fresh.rows.values()].map((row) => row.status)).toEqual(
      Array(2).fill(NodeStatus.NODE_STATUS_SUSPECT),
    );
  });

  it('whose reports stop is suspect, and up when they come again', () => {
    pass(4_000, ['b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_SUSPECT);
    report('a');
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('whose lease runs out while it reports is suspect', () => {
    table.unregistered('a', now);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_SUSPECT);
    expect(kinds('a')).toEqual(['lease-expired']);
  });

  it('whose lease runs out and that is silent is down', () => {
    table.unregistered('a', now);
    pass(4_000, ['b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DOWN);
  });

  it('whose own agent says so is down at once', () => {
    report('a', { backend: BackendState.BACKEND_STATE_DOWN, backendReason: 'esl closed' });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DOWN);
    expect(table.rows.get('a')!.reason).toContain('esl closed');
  });

  it('that says it is gone by a message of its earlier life is not', () => {
    table.registered(node('a', 'life-2'), now);
    report('a', { epoch: 'life-2' });
    table.heard(
      { nodeId: 'a', epoch: 'life-1', event: 'down', reason: 'late', at: undefined, observer: 'a' },
      now,
    );
    report('a', { epoch: 'life-1', backend: BackendState.BACKEND_STATE_DOWN });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('that comes back from the dead with a new epoch is a new life', () => {
    report('a', { backend: BackendState.BACKEND_STATE_DOWN });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DOWN);
    table.registered(node('a', 'life-2'), now);
    report('a', { epoch: 'life-2', seq: 1, sessions: 0 });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('that is connected but does not answer is suspect', () => {
    report('a', { backend: BackendState.BACKEND_STATE_STUCK });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_SUSPECT);
  });

  it('that shall drain is draining until it is empty, then drained', () => {
    table.desired('a', DesiredState.DESIRED_STATE_DRAINING);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINING);
    report('a', { sessions: 0 });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINED);
    table.desired('a', DesiredState.DESIRED_STATE_ACTIVE);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('that shall drain still shall after a restart', () => {
    table.desired('a', DesiredState.DESIRED_STATE_DRAINING);
    table.registered(node('a', 'life-2'), now);
    report('a', { epoch: 'life-2' });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINING);
  });

  it('that refuses new sessions by itself is draining', () => {
    report('a', { backend: BackendState.BACKEND_STATE_PAUSED });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINING);
  });

  it('that has been down for long leaves the table', () => {
    table.unregistered('a', now);
    pass(4_000, ['b', 'c']);
    table.tick(now);
    pass(61_000, ['b', 'c']);
    expect(table.tick(now)).toContainEqual(expect.objectContaining({ id: 'a', row: undefined }));
  });
});

describe('a silent store', () => {
  it('evicts nobody: NATS away', () => {
    table.source('nats', false, now);
    pass(60_000);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
    table.source('nats', true, now);
    pass(1_000, ['a', 'b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('evicts nobody: a bus on which nobody is heard', () => {
    pass(60_000);
    expect(['a', 'b', 'c'].map(status)).toEqual(Array(3).fill(NodeStatus.NODE_STATUS_UP));
  });

  it('evicts nobody: etcd away and back with nothing in it', () => {
    table.source('etcd', false, now);
    pass(30_000, ['a', 'b', 'c']);
    table.source('etcd', true, now);
    table.listed([], now);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
    pass(5_000, ['a', 'b', 'c']);
    for (const id of ['a', 'b', 'c']) table.registered(node(id), now);
    pass(10_000, ['a', 'b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('does not keep the dead: who has not registered again after the grace, and is silent, is down', () => {
    table.source('etcd', false, now);
    pass(1_000, ['b', 'c']);
    table.source('etcd', true, now);
    table.listed([node('b'), node('c')], now);
    pass(10_000, ['b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DOWN);
  });

  it('does not hide a death the agent itself reports', () => {
    table.source('etcd', false, now);
    report('a', { backend: BackendState.BACKEND_STATE_DOWN });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DOWN);
  });
});

describe('what is kept on disk', () => {
  it('gives the same table again', () => {
    table.tick(now);
    const other = new NodeTable(limits);
    other.restore(table.dump());
    other.tick(now);
    expect([...other.rows.values()].map((row) => [row.facts.node.id, row.status])).toEqual(
      ['a', 'b', 'c'].map((id) => [id, NodeStatus.NODE_STATUS_UP]),
    );
  });
});

describe('whatever is observed, in whatever order', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 5_000 }) }),
    fc.record({ do: fc.constant('report' as const), id: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ do: fc.constant('lose' as const), id: fc.constantFrom('a', 'b', 'c') }),
    fc.record({
      do: fc.constant('source' as const),
      name: fc.constantFrom('etcd' as const, 'nats' as const),
      well: fc.boolean(),
    }),
  );

  it('a node that reports is never down while nobody says its server is gone', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        for (const one of steps) {
          if (one.do === 'pass') pass(one.ms, ['a']);
          else if (one.do === 'report') report(one.id);
          else if (one.do === 'lose') table.unregistered(one.id, now);
          else table.source(one.name, one.well, now);
          report('a');
          expect(status('a')).not.toBe(NodeStatus.NODE_STATUS_DOWN);
        }
      }),
      { numRuns: 200 },
    );
  });
});
