import { BackendState } from '@callmesh/proto/node';
import { describe, expect, it } from 'vitest';
import { retiring, type Signs, verdict } from './liveness.ts';

const alive: Signs = {
  closed: undefined,
  askedAt: undefined,
  heartbeatAt: 0,
  heartbeatEveryMs: 1_000,
  paused: false,
};

describe('the verdict on a server', () => {
  it('is up while it answers and its heart beats', () => {
    expect(verdict(alive, 1_500)).toEqual({ backend: BackendState.BACKEND_STATE_UP, reason: '' });
    expect(verdict({ ...alive, askedAt: 1_400 }, 1_500).backend).toBe(BackendState.BACKEND_STATE_UP);
  });
  it('is down when the connection closed, whatever else is said', () => {
    const signs = { ...alive, closed: 'ECONNRESET', paused: true };
    expect(verdict(signs, 99_000)).toEqual({
      backend: BackendState.BACKEND_STATE_DOWN,
      reason: 'ECONNRESET',
    });
  });
  it('is stuck when a question waits too long', () => {
    expect(verdict({ ...alive, heartbeatAt: 9_000, askedAt: 6_500 }, 9_500)).toMatchObject({
      backend: BackendState.BACKEND_STATE_STUCK,
      reason: 'no answer for 3000 ms',
    });
  });
  it('is stuck when heartbeats stop while it still answers', () => {
    expect(verdict(alive, 6_000).backend).toBe(BackendState.BACKEND_STATE_STUCK);
  });
  it('allows for a slow heart until the rhythm is known', () => {
    const unknown = { ...alive, heartbeatEveryMs: undefined };
    expect(verdict(unknown, 60_000).backend).toBe(BackendState.BACKEND_STATE_UP);
    expect(verdict(unknown, 63_000).backend).toBe(BackendState.BACKEND_STATE_STUCK);
  });
  it('is paused when it refuses new sessions', () => {
    expect(verdict({ ...alive, paused: true }, 10).backend).toBe(BackendState.BACKEND_STATE_PAUSED);
  });
  it('is paused, with the reason, while its agent is asked to stop, unless there is worse', () => {
    const [paused, down] = [BackendState.BACKEND_STATE_PAUSED, BackendState.BACKEND_STATE_DOWN];
    expect(retiring(verdict(alive, 10))).toEqual({ backend: paused, reason: 'its agent is asked to stop' });
    expect(retiring(verdict({ ...alive, closed: 'eof' }, 10))).toEqual({ backend: down, reason: 'eof' });
  });
});
