import { CallEvent } from '@callmesh/proto/call';
import type { Nats } from '@callmesh/runtime';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openExchange } from '../../test/support/exchange.ts';
import type { Mesh } from '../mesh.ts';
import { followLegs } from './legs.ts';

type Handler = (message: { string(): string }) => void;

describe('legs', () => {
  const handlers = new Map<string, Handler>();
  const nats = {
    subscribe(subject: string, handler: Handler) {
      handlers.set(subject.split('.').at(-1)!, handler);
      return { close: () => void handlers.delete(subject) };
    },
  } as unknown as Nats;
  let mesh: Mesh;
  let component: ReturnType<typeof followLegs>;

  beforeEach(async () => {
    vi.useFakeTimers();
    const exchange = await openExchange({
      tenants: { acme: { trunks: { alpha: { kind: 'carrier', contact: 'sip:192.0.2.31' } } } },
    });
    mesh = exchange.mesh;
    component = followLegs(nats, mesh);
    await component.start!();
  });
  afterEach(async () => {
    await component.stop!();
    vi.useRealTimers();
  });

  const tell = (event: string, over: Partial<CallEvent> = {}) => {
    const message = CallEvent.fromPartial({
      ...{ event, legUuid: 'u1', sessionId: 's1', nodeId: 'fs-tandem-1', nodeEpoch: 'e1' },
      ...{ role: 'NODE_ROLE_TANDEM', outbound: true, trunkId: 'alpha', at: new Date() },
      ...over,
    } as Partial<CallEvent>);
    handlers.get(event)!({ string: () => JSON.stringify(CallEvent.toJSON(message)) });
  };
  const calls = (trunk = 'alpha') => mesh.usage.callsOfTrunk(trunk);

  it('count while they live', () => {
    tell('created');
    expect(calls()).toBe(1);
    tell('hangup');
    expect(calls()).toBe(0);
  });

  it('count as they did when they go on at another node, and start no call', () => {
    tell('created');
    const started = mesh.usage.startsOfTrunk('alpha', Date.now());
    tell('moved', { nodeId: 'fs-tandem-2' });
    expect(calls()).toBe(1);
    expect(mesh.usage.startsOfTrunk('alpha', Date.now())).toBe(started);
  });

  it.each([
    ['came in', { outbound: false }],
    ['belongs to no trunk', { trunkId: '' }],
    ['leads from a media node to the tandem', { role: 'NODE_ROLE_MEDIA' }],
  ] as [string, Partial<CallEvent>][])('leave out one that %s', (_what, over) => {
    tell('created', over);
    expect(calls()).toBe(0);
  });

  it("count a PBX's at the media node", () => {
    tell('created', { trunkId: 'acme-pbx', role: 'NODE_ROLE_MEDIA' });
    expect(calls('acme-pbx')).toBe(1);
  });

  it('end with their node, though nobody tells of a hangup', () => {
    tell('created');
    mesh.nodes.put({ ...mesh.nodes.record('fs-tandem-1')!, epoch: 'e2' });
    vi.advanceTimersByTime(2_000);
    expect(calls()).toBe(0);
  });

  it('end on a node that has no calls any more', () => {
    tell('created');
    vi.advanceTimersByTime(8_000);
    expect(calls()).toBe(1);
    vi.advanceTimersByTime(4_000);
    expect(calls()).toBe(0);
  });

  it('stay while the node table is not kept current', () => {
    tell('created');
    mesh.nodes.current = false;
    mesh.nodes.remove('fs-tandem-1');
    vi.advanceTimersByTime(2_000);
    expect(calls()).toBe(1);
  });

  describe('of agents', () => {
    const at = {
      nodeId: 'fs-a2',
      role: 'NODE_ROLE_MEDIA',
      trunkId: '',
      agentId: 'alice@acme.example',
    } as const;
    const where = () => mesh.agents.nodeOf('alice@acme.example', [], mesh.nodes)?.id;

    it('tell where the agent talks, by the newest that lives', () => {
      tell('created', at);
      expect(where()).toBe('fs-a2');
      tell('created', { ...at, legUuid: 'u2', nodeId: 'fs-a3' });
      expect(where()).toBe('fs-a3');
      tell('hangup', { legUuid: 'u2' });
      expect(where()).toBe('fs-a2');
      tell('hangup');
      expect(where()).toBeUndefined();
    });

    it('are found at the node they moved to', () => {
      tell('created', at);
      tell('moved', { ...at, nodeId: 'fs-a3' });
      expect(where()).toBe('fs-a3');
    });

    it('count on media nodes only', () => {
      tell('created', { ...at, role: 'NODE_ROLE_ROUTER', nodeId: 'fs-router-1' });
      expect(where()).toBeUndefined();
    });

    it('end with their node, though nobody tells of a hangup', () => {
      tell('created', at);
      mesh.nodes.put({ ...mesh.nodes.record('fs-a2')!, epoch: 'e2' });
      expect(where()).toBeUndefined();
      vi.advanceTimersByTime(2_000);
      expect(mesh.agents.size).toBe(0);
    });
  });
});
