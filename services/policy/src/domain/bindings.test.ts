import { describe, expect, it } from 'vitest';
import { BindingMemory } from './bindings.ts';
import type { Binding } from './model.ts';

const binding = (sessionId: string, over: Partial<Binding> = {}): Binding => ({
  sessionId,
  tenantId: 'acme',
  callId: `call-${sessionId}`,
  affinityKey: '',
  nodeId: 'n',
  nodeEpoch: 'e',
  role: 'media',
  function: 'general',
  groupId: 'g',
  trunkId: '',
  edgeId: 'edge',
  ...over,
});

describe('binding memory', () => {
  it('finds a session by Call-ID and affinity key within its tenant and role only', () => {
    const memory = new BindingMemory(10);
    memory.put(binding('s', { affinityKey: 'room' }));
    expect(memory.byCallId('acme', 'media', 'call-s')?.sessionId).toBe('s');
    expect(memory.byAffinity('acme', 'media', 'room')?.sessionId).toBe('s');
    expect(memory.byCallId('bravo', 'media', 'call-s')).toBeUndefined();
    expect(memory.byCallId('acme', 'router', 'call-s')).toBeUndefined();
    expect(memory.byAffinity('acme', 'media', '')).toBeUndefined();
  });

  it('finds a session by the Call-ID of who joined later, also after it moved', () => {
    const memory = new BindingMemory(10);
    memory.put(binding('s'), 'joined');
    memory.put(binding('s', { nodeId: 'heir' }));
    expect(memory.byCallId('acme', 'media', 'joined')?.nodeId).toBe('heir');
  });

  it('forgets all ways to a session that ended', () => {
    const memory = new BindingMemory(10);
    memory.put(binding('s', { affinityKey: 'room' }), 'joined');
    memory.remove('s');
    expect([
      memory.byCallId('acme', 'media', 'joined'),
      memory.byAffinity('acme', 'media', 'room'),
      memory.size,
    ]).toEqual([undefined, undefined, 0]);
  });

  it('keeps a newer session of the same Call-ID when the older one ends', () => {
    const memory = new BindingMemory(10);
    memory.put(binding('old', { callId: 'c' }));
    memory.put(binding('new', { callId: 'c' }));
    memory.remove('old');
    expect(memory.byCallId('acme', 'media', 'c')?.sessionId).toBe('new');
  });

  it('never grows beyond its limit, oldest first', () => {
    const memory = new BindingMemory(2);
    for (const id of ['a', 'b', 'c']) memory.put(binding(id));
    expect([...memory.sessionIds()]).toEqual(['b', 'c']);
  });
});
