import { Decided } from '@callmesh/proto/policy';
import { ListDecisionsRequest } from '@callmesh/proto/state';
import { describe, expect, it } from 'vitest';
import { Recent } from './recent.ts';

const find = (recent: Recent, wanted: Partial<ListDecisionsRequest> = {}) =>
  recent.find(ListDecisionsRequest.fromPartial(wanted));

function decided(count: number): Recent {
  const recent = new Recent();
  for (let n = 1; n <= count; n += 1)
    recent.decided(
      Decided.fromPartial({
        sessionId: `s${n}`,
        callId: `c${n}`,
        tenantId: n % 2 ? 'odd' : 'even',
        nodeId: 'fs-1',
      }),
    );
  return recent;
}

describe('recent decisions', () => {
  it('come newest first, and not more than are wanted', () => {
    const told = find(decided(5), { limit: 2 }).decisions.map(({ sessionId }) => sessionId);
    expect(told).toEqual(['s5', 's4']);
  });

  it('are found by session, Call-ID, tenant and node', () => {
    const recent = decided(4);
    expect(find(recent, { sessionId: 's3' }).decisions).toHaveLength(1);
    expect(find(recent, { callId: 'c2' }).decisions).toHaveLength(1);
    expect(find(recent, { tenantId: 'odd' }).decisions).toHaveLength(2);
    expect(find(recent, { nodeId: 'fs-2' }).decisions).toEqual([]);
  });

  it('are found by words', () => {
    const recent = decided(4);
    recent.decided(Decided.fromPartial({ callId: 'c9', refusedCode: 'limit_calls', reason: 'Acme is full' }));
    expect(recent.search(['even', 'fs-1'], false, 10)).toHaveLength(2);
    expect(recent.search(['acme'], true, 10)).toHaveLength(1);
    expect(recent.search([], true, 10)).toHaveLength(1);
    expect(recent.search([], false, 3)).toHaveLength(3);
  });

  it('push out the oldest when there are too many', () => {
    const { decisions } = find(decided(10_001), { limit: 1000 });
    expect(decisions[0]!.sessionId).toBe('s10001');
    expect(find(decided(10_001), { sessionId: 's1' }).decisions).toEqual([]);
  });

  it('bring the moves of their sessions, oldest first', () => {
    const recent = decided(1);
    const move = (from: string, to: string, sessionId = 's1') =>
      recent.moved({ at: new Date(0), sessionId, tenantId: 'odd', fromNodeId: from, toNodeId: to });
    move('fs-1', 'fs-2');
    move('fs-9', 'fs-8', 'another');
    move('fs-2', 'fs-3');
    const { moves } = find(recent, { sessionId: 's1' });
    expect(moves.map(({ toNodeId }) => toNodeId)).toEqual(['fs-2', 'fs-3']);
  });
});
