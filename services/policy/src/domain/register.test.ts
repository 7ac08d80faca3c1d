import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { authorizationOf, buildSnapshot } from '../../test/support/world.ts';
import { type World, world } from '../../test/support/world-schema.ts';
import { decideRegistration } from './register.ts';
import type { RouteRequest } from './request.ts';

const USERS = Array.from({ length: 300 }, (_, i) => `agent-${i}`);

/** A tenant of many agents, and so many routers; those named are not up. */
function worldOf(routers: number, statuses: Record<number, World['nodes'][string]['status']> = {}): World {
  const ids = Array.from({ length: routers }, (_, i) => i + 1);
  return world.parse({
    tenants: {
      acme: {
        domain: 'acme.example',
        links: { 'general/router': 'routers' },
        agents: Object.fromEntries(USERS.map((user) => [user, {}])),
      },
    },
    nodes: Object.fromEntries(
      ids.map((n) => [
        `router-${n}`,
        {
          role: 'router',
          group: 'routers',
          at: `10.0.0.${n}:5060`,
          status: statuses[n] ?? 'up',
          max: 1,
          sessions: 1,
        },
      ]),
    ),
  });
}

function request(user: string): RouteRequest {
  const uri = `sip:${user}@acme.example`;
  return {
    edge: 'kama-wss-1',
    callId: `${user}@phone`,
    method: 'REGISTER',
    fromUri: uri,
    toUri: uri,
    requestUri: 'sip:acme.example',
    sourceAddress: '203.0.113.9',
    sourcePort: 5060,
    transport: 'udp',
    authorization: authorizationOf(
      { user, realm: 'acme.example', password: 'a-password', algorithm: 'MD5' },
      'sip:acme.example',
      'REGISTER',
    ),
    tlsSubject: '',
    hint: { triedNodes: [] },
  };
}

/** Agent to the router it registers at. */
function places(given: World): Map<string, string> {
  const snapshot = buildSnapshot(given);
  return new Map(USERS.map((user) => [user, decideRegistration(request(user), snapshot).targets[0]!.id]));
}

describe('the router of a registration', () => {
  it('is the same whoever asks and whenever, and each has its share', () => {
    const first = places(worldOf(4));
    expect(places(worldOf(4))).toEqual(first);
    const counts = Map.groupBy(first.values(), (id) => id);
    expect(counts.size).toBe(4);
    for (const agents of counts.values()) expect(agents.length).toBeGreaterThan(300 / 4 / 2);
  });

  it('changes for its own agents alone when one goes, in whatever way', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.nat(),
        fc.constantFrom('down', 'draining', 'drained', 'suspect'),
        (routers, pick, status) => {
          const gone = 1 + (pick % routers);
          const before = places(worldOf(routers));
          const after = places(worldOf(routers, { [gone]: status }));
          for (const [user, id] of before)
            if (id === `router-${gone}`) expect(after.get(user)).not.toBe(id);
            else expect(after.get(user)).toBe(id);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('may be a full one: a registration is no session', () => {
    expect(places(worldOf(1)).get('agent-0')).toBe('router-1');
  });

  it('is one that is only suspect when all are', () => {
    expect(places(worldOf(2, { 1: 'suspect', 2: 'suspect' })).size).toBe(300);
    expect(places(worldOf(2, { 1: 'suspect', 2: 'down' })).get('agent-0')).toBe('router-1');
  });
});
