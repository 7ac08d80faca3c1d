import { BackendState, DesiredState, LoadReport, Node, NodeRole } from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { NodeTable } from './table.ts';

const limits = { silenceMs: 3_000, graceMs: 8_000, keepDownMs: 600_000 };
const node = (id: string, epoch = 'life-1'): Node =>
  Node.fromPartial({ id, role: NodeRole.NODE_ROLE_MEDIA, group: 'g', sipUri: 'sip:127.0.0.1:5080', epoch });

let table: NodeTable;
let now: number;
let seq = 0;
/** What reports of a node say besides, while time passes. */
const lives = new Map<string, Partial<LoadReport>>();

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
function pass(ms: number, reporting: string[] = [], { proven = true } = {}): void {
  for (const until = now + ms; now < until; ) {
    now += Math.min(250, until - now);
    for (const id of reporting) report(id, lives.get(id));
    if (proven) table.proven(now);
    table.tick(now);
  }
}

/** A mesh that has been well for long, with these nodes. */
function mesh(ids: string[]): void {
  table = new NodeTable(limits);
  now = 1_000_000;
  lives.clear();
  table.source('etcd', true, now);
  table.source('nats', true, now);
  for (const id of ids) {
    table.registered(node(id), now);
    report(id);
  }
  pass(20_000, ids);
}

const down = NodeStatus.NODE_STATUS_DOWN;
const suspect = NodeStatus.NODE_STATUS_SUSPECT;
const up = NodeStatus.NODE_STATUS_UP;

beforeEach(() => mesh(['a', 'b', 'c']));

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
    pass(2_000, ['a', 'b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_SUSPECT);
    expect(kinds('a')).toEqual(['lease-expired']);
    table.registered(node('a'), now);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
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

  it('whose agent gives back the lease after a goodbye is down as unregistered', () => {
    table.heard(
      { nodeId: 'a', epoch: 'life-1', event: 'down', reason: 'bye', at: undefined, observer: 'a' },
      now,
    );
    table.unregistered('a', now);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DOWN);
    expect(kinds('a')).toEqual(['lease-revoked']);
  });

  it('whose agent restarts is up again once it registers and reports, though it counts reports anew', () => {
    for (let n = 0; n < 100; n++) report('a');
    table.heard(
      { nodeId: 'a', epoch: 'life-1', event: 'down', reason: 'bye', at: undefined, observer: 'a' },
      now,
    );
    table.unregistered('a', now);
    pass(2_000, ['b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DOWN);
    table.registered(node('a'), now);
    // The first report, number one, was lost.
    report('a', { seq: 2 });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('that another replica calls down is not down for that', () => {
    table.heard(
      { nodeId: 'a', epoch: 'life-1', event: 'down', reason: '', at: undefined, observer: 'state' },
      now,
    );
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('that was called dead is not half alive: it is back when it is registered and reports', () => {
    table.unregistered('a', now);
    pass(4_000, ['b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DOWN);
    pass(2_000, ['a', 'b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DOWN);
    table.registered(node('a'), now);
    pass(250, ['a', 'b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('whose new life reports before etcd tells of it is in its new life, and stays in it', () => {
    report('a', { epoch: 'life-2', seq: 1 });
    table.registered(node('a', 'life-1'), now);
    expect(table.rows.get('a')?.facts.node.epoch).toBe('life-1');
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
    expect(table.rows.get('a')?.facts.node.epoch).toBe('life-2');
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
    table.desired('a', DesiredState.DESIRED_STATE_DRAINING, now);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINING);
    lives.set('a', { sessions: 0 });
    pass(3_000, ['a', 'b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINED);
    table.desired('a', DesiredState.DESIRED_STATE_ACTIVE, now);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_UP);
  });

  it('that was empty when it was asked to drain is not drained while a session may be on its way', () => {
    lives.set('a', { sessions: 0 });
    pass(1_000, ['a', 'b', 'c']);
    table.desired('a', DesiredState.DESIRED_STATE_DRAINING, now);
    pass(1_000, ['a', 'b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINING);
  });

  it('that drains and does not report is not called empty', () => {
    table.desired('a', DesiredState.DESIRED_STATE_DRAINING, now);
    report('a', { sessions: 0 });
    pass(5_000, ['b', 'c']);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINING);
    expect(table.rows.get('a')!.reason).toContain('sessions unknown');
  });

  it('that shall drain still shall after a restart', () => {
    table.desired('a', DesiredState.DESIRED_STATE_DRAINING, now);
    table.registered(node('a', 'life-2'), now);
    report('a', { epoch: 'life-2' });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINING);
  });

  it('that both stores miss is only suspect while it answers SIP, and dead when it does not any more', () => {
    table.unregistered('a', now);
    pass(1_600, ['b', 'c']);
    expect(table.inQuestion().map(({ id }) => id)).toEqual(['a']);
    for (let n = 0; n < 20; n += 1) {
      table.answered('a', 'life-1', now);
      pass(1_000, ['b', 'c']);
      expect(status('a')).toBe(suspect);
    }
    expect(kinds('a')).toEqual(['lease-expired', 'load-silent']);
    expect(table.rows.get('a')!.reason).toContain('cut off from the mesh, but it answers SIP');
    // Another life there is none of this one.
    table.answered('a', 'life-2', now);
    pass(2_000, ['b', 'c']);
    expect(status('a')).toBe(down);
    expect(table.inQuestion()).toEqual([]);
    table.answered('a', 'life-1', now);
    expect(status('a')).toBe(down);
  });

  it('whose server was stuck before the stores missed it is dead although it answers SIP', () => {
    report('a', { backend: BackendState.BACKEND_STATE_STUCK });
    table.unregistered('a', now);
    pass(1_600, ['b', 'c']);
    table.answered('a', 'life-1', now);
    pass(1_900, ['b', 'c']);
    expect(status('a')).toBe(down);
  });

  it('that refuses new sessions by itself is draining', () => {
    report('a', { backend: BackendState.BACKEND_STATE_PAUSED });
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINING);
  });

  it('that has been down for long leaves the table', () => {
    table.unregistered('a', now);
    pass(4_000, ['b', 'c']);
    expect(table.rows.has('a')).toBe(true);
    pass(601_000, ['b', 'c']);
    expect(table.rows.has('a')).toBe(false);
  });

  it('that has been down for long but is still registered stays: nothing else would tell of its return', () => {
    lives.set('a', { backend: BackendState.BACKEND_STATE_DOWN });
    pass(601_000, ['a', 'b', 'c']);
    expect(status('a')).toBe(down);
    lives.delete('a');
    pass(250, ['a', 'b', 'c']);
    expect(status('a')).toBe(up);
  });
});

describe('a silent store', () => {
  it('evicts nobody: NATS away, and back', () => {
    table.source('nats', false, now);
    pass(60_000, [], { proven: false });
    expect(['a', 'b', 'c'].map(status)).toEqual([up, up, up]);
    table.source('nats', true, now);
    pass(5_000);
    expect(['a', 'b', 'c'].map(status)).toEqual([up, up, up]);
  });

  it('evicts nobody: NATS frozen, which nobody has noticed yet', () => {
    pass(10_000, [], { proven: false });
    expect(['a', 'b', 'c'].map(status)).toEqual([up, up, up]);
  });

  it('evicts nobody: a bus on which nobody is heard', () => {
    pass(60_000);
    expect(['a', 'b', 'c'].map(status)).toEqual([up, up, up]);
    expect(table.doubt.nats).toBe(true);
  });

  it('evicts nobody: a bus that most are cut off from', () => {
    pass(60_000, ['a']);
    expect(['a', 'b', 'c'].map(status)).toEqual([up, up, up]);
  });

  it('evicts nobody: etcd that all agents are cut off from, one after another', () => {
    for (const id of ['a', 'b', 'c']) {
      table.unregistered(id, now);
      pass(300, ['a', 'b', 'c']);
    }
    pass(20_000, ['a', 'b', 'c']);
    expect(['a', 'b', 'c'].map(status)).toEqual([up, up, up]);
  });

  it('evicts nobody: a network that cuts this replica off from every node in both stores', () => {
    for (const id of ['a', 'b', 'c']) {
      pass(300);
      table.unregistered(id, now);
    }
    pass(20_000);
    expect(['a', 'b', 'c'].map(status)).toEqual([up, up, up]);
  });

  it('evicts nobody: etcd away and back with nothing in it', () => {
    table.source('etcd', false, now);
    pass(30_000, ['a', 'b', 'c']);
    table.source('etcd', true, now);
    table.listed([], now);
    expect(status('a')).toBe(up);
    pass(5_000, ['a', 'b', 'c']);
    for (const id of ['a', 'b', 'c']) table.registered(node(id), now);
    pass(10_000, ['a', 'b', 'c']);
    expect(status('a')).toBe(up);
  });

  it('evicts nobody: etcd wiped so fast that no probe noticed', () => {
    table.listed([], now);
    pass(5_000, ['a', 'b', 'c']);
    expect(['a', 'b', 'c'].map(status)).toEqual([up, up, up]);
  });

  it('evicts nobody: this process itself stood still', () => {
    now += 60_000;
    table.woke(now);
    table.proven(now);
    expect(['a', 'b', 'c'].map(status)).toEqual([up, up, up]);
  });

  it('does not keep the dead: who has not registered again after the grace, and is silent, is down', () => {
    table.source('etcd', false, now);
    pass(1_000, ['b', 'c']);
    table.source('etcd', true, now);
    table.listed([node('b'), node('c')], now);
    pass(10_000, ['b', 'c']);
    expect(status('a')).toBe(down);
  });

  it('does not hide a death the agent itself reports', () => {
    table.source('etcd', false, now);
    report('a', { backend: BackendState.BACKEND_STATE_DOWN });
    expect(status('a')).toBe(down);
  });

  it('does not wake the dead: who was down or suspect before stays so while stores are away', () => {
    table.unregistered('a', now);
    pass(4_000, ['b', 'c']);
    pass(4_000, ['c']);
    expect(['a', 'b', 'c'].map(status)).toEqual([down, suspect, up]);
    for (const name of ['etcd', 'nats'] as const) table.source(name, false, now);
    pass(30_000, [], { proven: false });
    expect(['a', 'b', 'c'].map(status)).toEqual([down, suspect, up]);
    for (const name of ['etcd', 'nats'] as const) table.source(name, true, now);
    pass(1_000, ['c']);
    expect(['a', 'b', 'c'].map(status)).toEqual([down, suspect, up]);
  });

  it('does not undo a drain: what etcd lost is to be written again', () => {
    table.desired('a', DesiredState.DESIRED_STATE_DISABLED, now);
    table.desired('b', DesiredState.DESIRED_STATE_DRAINING, now);
    table.desired('b', DesiredState.DESIRED_STATE_ACTIVE, now);
    const lost = table.desiredListed(new Map(), now);
    expect([...lost]).toEqual([['a', DesiredState.DESIRED_STATE_DISABLED]]);
    expect(status('a')).toBe(NodeStatus.NODE_STATUS_DRAINING);
  });
});

describe('a zone that lost power', () => {
  it('is down, though it was most of the mesh', () => {
    const ids = [...'abcdefghij'];
    mesh(ids);
    const left = ['i', 'j'];
    pass(2_000, left);
    for (const id of ids) {
      if (left.includes(id)) continue;
      table.unregistered(id, now);
      pass(100, left);
    }
    pass(4_000, left);
    expect(ids.map(status)).toEqual([...Array(8).fill(down), up, up]);
  });
});

describe('what is kept on disk', () => {
  it('gives the same table again, with its dead, its suspects and its drains', () => {
    table.unregistered('a', now);
    pass(4_000, ['b', 'c']);
    pass(4_000, ['c']);
    table.desired('c', DesiredState.DESIRED_STATE_DISABLED, now);
    table.tick(now);
    const other = new NodeTable(limits);
    other.restore(table.dump());
    for (const name of ['etcd', 'nats'] as const) other.source(name, true, now);
    for (const id of ['b', 'c']) other.registered(node(id), now);
    expect(other.tick(now)).toEqual([]);
    expect([...other.rows.values()].map((row) => [row.facts.node.id, row.status])).toEqual([
      ['a', down],
      ['b', suspect],
      ['c', NodeStatus.NODE_STATUS_DRAINING],
    ]);
  });
});

describe('whatever is observed, in whatever order', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 5_000 }) }),
    fc.record({ do: fc.constant('report' as const), id: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ do: fc.constant('register' as const), id: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ do: fc.constant('lose' as const), id: fc.constantFrom('a', 'b', 'c') }),
    fc.record({
      do: fc.constant('source' as const),
      name: fc.constantFrom('etcd' as const, 'nats' as const),
      well: fc.boolean(),
    }),
  );

  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
  const take = (one: Step, reporting: string[]) => {
    if (one.do === 'pass') pass(one.ms, reporting, { proven: nats });
    else if (one.do === 'report') report(one.id);
    else if (one.do === 'lose') table.unregistered(one.id, now);
    else if (one.do === 'register') table.registered(node(one.id), now);
    else {
      if (one.name === 'nats') nats = one.well;
      table.source(one.name, one.well, now);
    }
  };
  let nats = true;
  beforeEach(() => {
    nats = true;
  });
  const rank = (id: string) => [up, suspect, down].indexOf(status(id) as typeof up);

  it('a node that reports is never down while nobody says its server is gone', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        mesh(['a', 'b', 'c']);
        for (const one of steps) {
          take(one, ['a']);
          report('a');
          expect(status('a')).not.toBe(down);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('while both stores are silent no node changes for the worse, and none for the better unless it reports', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.integer({ min: 0, max: 20_000 }), (steps, ms) => {
        mesh(['a', 'b', 'c']);
        for (const one of steps) take(one, ['c']);
        const before = ['a', 'b', 'c'].map(rank);
        for (const name of ['etcd', 'nats'] as const) table.source(name, false, now);
        pass(ms, [], { proven: false });
        expect(['a', 'b', 'c'].map(rank)).toEqual(before);
      }),
      { numRuns: 100 },
    );
  });

  it('a node is down only by a strong piece of evidence or by two', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        mesh(['a', 'b', 'c']);
        for (const one of steps) {
          take(one, ['b']);
          for (const change of table.tick(now)) {
            if (change.row?.status !== down || change.before === down) continue;
            const { evidence } = change.row;
            expect(evidence.length > 1 || evidence.some((piece) => piece.strong)).toBe(true);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('replaying the same observations gives the same table', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const run = () => {
          seq = 0;
          nats = true;
          mesh(['a', 'b', 'c']);
          for (const one of steps) take(one, ['b']);
          table.tick(now);
          return JSON.stringify(table.dump());
        };
        expect(run()).toBe(run());
      }),
      { numRuns: 50 },
    );
  });
});
