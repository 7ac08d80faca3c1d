import { BackendState, Node, NodeRole } from '@callmesh/proto/node';
import { describe, expect, it } from 'vitest';
import { type Load, LoadReporter } from './load.ts';

const node = Node.create({ id: 'fs-media-1', role: NodeRole.NODE_ROLE_MEDIA, epoch: 'e' });
const load: Load = {
  sessions: 1,
  maxSessions: 10,
  idleCpu: 90,
  backend: BackendState.BACKEND_STATE_UP,
  reason: '',
  created: 1,
};

describe('load reports', () => {
  it('are due once a second, and a tenth of a second after a change', () => {
    const reporter = new LoadReporter();
    expect(reporter.dueAt(load)).toBe(0);
    reporter.report(node, load, [], 5_000);
    expect(reporter.dueAt({ ...load, idleCpu: 20 })).toBe(6_000);
    expect(reporter.dueAt({ ...load, sessions: 2 })).toBe(5_100);
    expect(reporter.dueAt({ ...load, created: 2 })).toBe(5_100);
    expect(reporter.dueAt({ ...load, backend: BackendState.BACKEND_STATE_STUCK })).toBe(5_100);
  });

  it('are numbered without a gap', () => {
    const reporter = new LoadReporter();
    const seqs = [1, 2, 3].map((at) => reporter.report(node, load, [], at).seq);
    expect(seqs).toEqual([1, 2, 3]);
  });

  it('tell how many sessions the last second brought', () => {
    const reporter = new LoadReporter();
    const rates = [
      [0, 0],
      [500, 10],
      [1_000, 30],
      [1_500, 30],
      [2_000, 30],
      [2_100, 2],
    ].map(
      ([at, created]) => reporter.report(node, { ...load, created: created! }, [], at!).sessionsPerSecond,
    );
    expect(rates).toEqual([0, 10, 30, 20, 0, 0]);
  });
});
