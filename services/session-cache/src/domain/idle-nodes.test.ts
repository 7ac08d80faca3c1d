import type { LoadReport } from '@callmesh/proto/node';
import { describe, expect, it } from 'vitest';
import { A, legEvent, member, proposal, settled } from '../../test/replicas.ts';
import { MemoryBucket } from '../adapters/memory-kv.ts';
import { IdleNodes } from './idle-nodes.ts';

const report = (more: Partial<LoadReport> = {}): LoadReport => ({
  nodeId: A.nodeId,
  role: 'NODE_ROLE_MEDIA',
  epoch: A.nodeEpoch,
  sessions: 0,
  maxSessions: 100,
  idleCpu: 90,
  seq: 1,
  startedSessions: [],
  backend: 'BACKEND_STATE_UP',
  sessionsPerSecond: 0,
  backendReason: '',
  ...more,
});

async function carrying() {
  const one = member(new MemoryBucket().connect());
  await settled(one);
  const confirmed = (await one.sessions.bind(proposal('confirmed', A), [])).entry.value;
  await one.calls.handle(legEvent('created', confirmed, 'leg'));
  await one.sessions.bind(proposal('only bound', A), []);
  await one.sessions.bind(proposal('former life', { ...A, nodeEpoch: 'a0' }, { confirmed: true }), []);
  const nodes = new IdleNodes(one.sessions, one.replica, () => one.clock.now);
  /** Reports once a second. */
  const hear = async (seconds: number, what = report()) => {
    let ended = 0;
    for (let second = 0; second < seconds; second++) {
      one.clock.now += 1000;
      nodes.note(what);
      ended += await nodes.run();
    }
    return ended;
  };
  return { one, hear };
}

describe('a node that says it carries nothing', () => {
  it('for ten seconds has its confirmed sessions ended, and no others', async () => {
    const { one, hear } = await carrying();
    expect(await hear(10)).toBe(0);
    expect(await hear(1)).toBe(1);
    expect(one.sessions.index.size).toBe(2);
  });

  it('is believed only while it goes on saying so, in one life, and is up', async () => {
    const { hear } = await carrying();
    expect(await hear(8)).toBe(0);
    expect(await hear(1, report({ sessions: 1 }))).toBe(0);
    expect(await hear(8)).toBe(0);
    expect(await hear(8, report({ epoch: 'a2' }))).toBe(0);
    expect(await hear(30, report({ backend: 'BACKEND_STATE_DOWN' }))).toBe(0);
  });
});
