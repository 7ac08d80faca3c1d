import { BackendState } from '@callmesh/proto/node';
import { describe, expect, it } from 'vitest';
import { Standstill } from './standstill.ts';

const { BACKEND_STATE_UP: UP, BACKEND_STATE_STUCK: STUCK, BACKEND_STATE_PAUSED: PAUSED } = BackendState;
const up = { backend: UP, reason: '' };
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a node that stood still', () => {
  it('is not told of before it is known that its calls still are its own', async () => {
    let answer: (isIts: boolean) => void = () => {};
    const standstill = new Standstill(() => new Promise((resolve) => (answer = resolve)));
    expect(standstill.seen(up, 0).backend).toBe(UP);
    expect(standstill.seen(up, 10_000).backend).toBe(PAUSED);
    answer(true);
    await settled();
    expect(standstill.seen(up, 11_000).backend).toBe(UP);
  });

  it('takes no new sessions when its calls are another’s, and while nobody can say', async () => {
    for (const ask of [async () => false, async () => Promise.reject(new Error('NATS is away'))]) {
      const standstill = new Standstill(ask);
      standstill.seen({ backend: STUCK, reason: 'no answer' }, 0);
      expect(standstill.seen(up, 1_000).backend).toBe(PAUSED);
      await settled();
      expect(standstill.seen(up, 2_000).backend).toBe(PAUSED);
    }
  });
});
