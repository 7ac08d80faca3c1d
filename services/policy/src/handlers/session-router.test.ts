import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { buildRequest, EPOCH, fillSnapshot } from '../../test/support/world.ts';
import { callSpec, world } from '../../test/support/world-schema.ts';
import { sessionIds } from '../adapters/session-ids.ts';
import type { Binding } from '../domain/model.ts';
import { Mesh } from '../mesh.ts';
import { SessionRouter } from './session-router.ts';

const request = (callId: string, to = '+4930999') => buildRequest(callSpec.parse({ call_id: callId, to }));

describe('a session router', () => {
  let mesh: Mesh;
  let bind: (proposal: Binding, replace: Binding | undefined) => Promise<Binding | undefined>;
  let announced: string[];
  let outcomes: string[];
  let told: string[];
  let router: SessionRouter;

  beforeEach(() => {
    mesh = new Mesh({ bindingLimit: 100, now: 0, premiumPrefixes: [] });
    mesh.known = true;
    mesh.nodes.current = true;
    mesh.usage.silentSince = undefined;
    fillSnapshot(
      mesh,
      world.parse({
        tenants: {
          acme: {
            domain: 'acme.example',
            links: { general: 'g' },
            trunks: { pbx: { from: ['192.0.2.10'] } },
            max_calls: 3,
          },
        },
        groups: { g: {} },
        nodes: Object.fromEntries(
          ['fs-1', 'fs-2'].map((id, i) => [id, { group: 'g', at: `10.0.0.${i}:5060`, max: 10 }]),
        ),
      }),
    );
    announced = [];
    outcomes = [];
    told = [];
    bind = async (proposal) => proposal;
    router = new SessionRouter(mesh, {
      bind: (proposal, replace) => bind(proposal, replace),
      announce: (nodeId) => announced.push(nodeId),
      newSessionId: sessionIds(),
      tell: (one) => told.push(one.refusedCode || `${one.nodeId}: ${one.reason}`),
      metrics: {
        decided() {},
        answered() {},
        routed: (strategy, outcome) => outcomes.push(`${strategy} ${outcome}`),
      },
      log: pino({ level: 'silent' }),
    });
  });
  const pending = () => ['fs-1', 'fs-2'].map((id) => mesh.ledger.load(id, EPOCH).pending);

  it('counts and announces what it assigns before the binding is answered', async () => {
    let during: number[] = [];
    bind = async (proposal) => {
      during = pending();
      return proposal;
    };
    const { sessionId, durable } = await router.route(request('c1'));
    expect(during.reduce((a, b) => a + b)).toBe(1);
    expect(announced).toHaveLength(1);
    expect(sessionId).toMatch(/^[0-9a-f]{16}$/);
    expect(durable).toBe(true);
    expect(outcomes).toEqual(['lightest ok']);
  });

  it('tells those who watch what it decided and why, and what it refused', async () => {
    await router.route(request('c1'));
    mesh.known = false;
    await expect(router.route(request('c2'))).rejects.toThrow();
    expect(told).toEqual([expect.stringMatching(/^fs-[12]: ./), 'unavailable']);
  });

  it('sends a re-sent INVITE to the same node and counts it once', async () => {
    const first = await router.route(request('c1'));
    const again = await router.route(request('c1'));
    expect(again.sessionId).toBe(first.sessionId);
    expect(again.decision.targets[0]).toBe(first.decision.targets[0]);
    expect(pending().reduce((a, b) => a + b)).toBe(1);
    expect(mesh.usage.callsOfTenant('acme')).toBe(1);
  });

  it('makes a session of its own of a call that joins others, on their node, and counts it', async () => {
    const joining = (callId: string) => ({
      ...request(callId),
      hint: { affinityKey: 'room', triedNodes: [] },
    });
    const first = await router.route(joining('c1'));
    const second = await router.route(joining('c2'));
    expect(second.decision.targets.map(({ id }) => id)).toEqual([first.decision.targets[0]!.id]);
    expect(second.sessionId).not.toBe(first.sessionId);
    expect(pending().reduce((a, b) => a + b)).toBe(2);
    expect((await router.route(joining('c2'))).sessionId).toBe(second.sessionId);
  });

  it('does so from its own memory when session-cache does not answer', async () => {
    bind = async () => undefined;
    const first = await router.route(request('c1'));
    const again = await router.route(request('c1'));
    expect([first.durable, again.durable]).toEqual([false, false]);
    expect(again.sessionId).toBe(first.sessionId);
    expect(again.decision.targets[0]).toBe(first.decision.targets[0]);
  });

  it('follows the instance that was first, and takes its own count back', async () => {
    bind = async (proposal) => ({
      ...proposal,
      sessionId: 'theirs',
      nodeId: proposal.nodeId === 'fs-1' ? 'fs-2' : 'fs-1',
    });
    const { decision, sessionId } = await router.route(request('c1'));
    expect([sessionId, decision.held?.sessionId]).toEqual(['theirs', 'theirs']);
    expect(decision.targets[0]!.id).not.toBe(announced[0]);
    expect(pending()).toEqual([0, 0]);
    expect(mesh.usage.callsOfTenant('acme')).toBe(0);
  });

  it('replaces a binding to a node that died, and says which life is over', async () => {
    mesh.nodes.put({ ...mesh.nodes.record('fs-1')!, status: 'down' });
    const replaced: (string | undefined)[] = [];
    bind = async (proposal, replace) => {
      replaced.push(replace?.nodeId);
      return replace ? proposal : { ...proposal, sessionId: 'old', nodeId: 'fs-1' };
    };
    const { decision, durable } = await router.route(request('c1'));
    expect(replaced).toEqual([undefined, 'fs-1']);
    expect([decision.targets[0]!.id, durable]).toEqual(['fs-2', true]);
  });

  it('answers all the same when somebody replaces as fast as it does', async () => {
    mesh.nodes.put({ ...mesh.nodes.record('fs-1')!, status: 'down' });
    bind = async (proposal) => ({ ...proposal, sessionId: 'old', nodeId: 'fs-1' });
    const { decision, durable } = await router.route(request('c1'));
    expect([decision.targets[0]!.id, durable]).toEqual(['fs-2', false]);
  });

  it('admits no more calls than the limit, however close together they come', async () => {
    const results = await Promise.allSettled(
      ['a', 'b', 'c', 'd', 'e'].map((id) => router.route(request(id))),
    );
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    expect(outcomes.filter((outcome) => outcome === 'none limit_calls')).toHaveLength(2);
  });

  it('refuses nobody as unknown before it knows anybody', async () => {
    mesh.known = false;
    await expect(router.route(request('c1'))).rejects.toMatchObject({ code: 'unavailable' });
  });
});
