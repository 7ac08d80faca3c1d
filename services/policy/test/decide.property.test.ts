import { CallmeshError } from '@callmesh/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../src/domain/decide.ts';
import type { Decision } from '../src/domain/decision.ts';
import { functionNames } from '../src/domain/model.ts';
import { countOf, limitOf } from '../src/domain/node-table.ts';
import { whyNot } from '../src/domain/nodes.ts';
import { seeded } from './support/rows.ts';
import { buildRequest, buildSnapshot, type TestSnapshot } from './support/world.ts';
import { callSpec, world } from './support/world-schema.ts';

const NOW = 1_800_000_000_000;
const tenants = ['t0', 't1', 't2'];
/** Own groups of the tenants, and the platform's. */
const groups = ['own-0', 'own-1', 'own-2', 'platform', 'platform-gray'];

const node = fc.record({
  group: fc.constantFrom(...groups),
  zone: fc.constantFrom('', 'z1', 'z2'),
  max: fc.constantFrom(0, 3, 10),
  weight: fc.integer({ min: 1, max: 10 }),
  sessions: fc.nat(11),
  pending: fc.nat(3),
  status: fc.constantFrom('up', 'up', 'up', 'suspect', 'draining', 'drained', 'down'),
  agent_reports: fc.constantFrom('up', 'up', 'up', 'paused', 'down'),
});

const mesh = fc.record({
  nodes: fc.array(node, { maxLength: 25 }),
  strategies: fc.array(
    fc.constantFrom('', 'lightest', 'random', 'hash', 'sequential', 'weighted-random', 'unknown'),
    {
      minLength: groups.length,
      maxLength: groups.length,
    },
  ),
  /** For each tenant, which of its functions are linked to its own group. */
  linked: fc.array(fc.subarray([...functionNames]), { minLength: 3, maxLength: 3 }),
  canary: fc.constantFrom(0, 50, 100),
});

const call = fc.record({
  tenant: fc.nat(2),
  callId: fc.string({ minLength: 1, maxLength: 20 }),
  to: fc.constantFrom('+4930', 'board', '100', '+4930300'),
  tried: fc.subarray(['n0', 'n1', 'n2', 'n3']),
  seed: fc.nat(),
});
type Mesh = typeof mesh extends fc.Arbitrary<infer T> ? T : never;
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

function build({ nodes, strategies, linked, canary }: Mesh): TestSnapshot {
  const snapshot = world.parse({
    tenants: Object.fromEntries(
      tenants.map((id, i) => [
        id,
        {
          domain: `${id}.example`,
          canary_percent: canary,
          links: Object.fromEntries(linked[i]!.map((fn) => [fn, `own-${i}`])),
          trunks: { [`${id}-pbx`]: { from: [`192.0.2.${i}`] } },
          numbers: {
            [`+493020${i}`]: { function: 'conference', to: 'conference board' },
            ...(i === 0 && { '+4930300': { function: 'inbound-bot', to: 'control x' } }),
          },
        },
      ]),
    ),
    platform_links: { general: 'platform', conference: 'platform', gray: 'platform-gray' },
    groups: Object.fromEntries(groups.map((id, i) => [id, { strategy: strategies[i]! }])),
    nodes: Object.fromEntries(nodes.map((entry, i) => [`n${i}`, { ...entry, at: `10.0.0.${i}:5060` }])),
  });
  return buildSnapshot(snapshot);
}

function attempt(
  snapshot: TestSnapshot,
  { tenant, callId, to, tried, seed }: Call,
): Decision | CallmeshError {
  const spec = callSpec.parse({ source: `192.0.2.${tenant}:5060`, call_id: callId, to, ask: { tried } });
  try {
    return decide(buildRequest(spec), snapshot, NOW, seeded(seed));
  } catch (error) {
    if (error instanceof CallmeshError) return error;
    throw error;
  }
}

/** The decision, or the code it was refused with. */
function route(snapshot: TestSnapshot, c: Call): Decision | string {
  const outcome = attempt(snapshot, c);
  return outcome instanceof CallmeshError ? outcome.code : outcome;
}

function refusalOf(snapshot: TestSnapshot, c: Call): string {
  const outcome = attempt(snapshot, c);
  return outcome instanceof CallmeshError ? outcome.message : '';
}

/** What names a decision: ids only, so that two snapshots can be compared. */
function outline(outcome: Decision | string): unknown {
  if (typeof outcome === 'string') return outcome;
  const { targets, function: fn, groupId, reason, affinityKey } = outcome;
  return { targets: targets.map(({ id }) => id), fn, groupId, reason, affinityKey };
}

describe('a decision', () => {
  it('never names a node that is down, draining, drained, suspect, cut off, full, tried or named twice', () => {
    fc.assert(
      fc.property(mesh, call, (m, c) => {
        const outcome = route(build(m), c);
        if (typeof outcome === 'string') return;
        for (const target of outcome.targets) {
          expect(target.status).toBe('up');
          expect(target.load.backend).toBe('up');
          expect(limitOf(target) === 0 || countOf(target) < limitOf(target)).toBe(true);
          expect(c.tried).not.toContain(target.id);
        }
        expect(new Set(outcome.targets).size).toBe(outcome.targets.length);
        expect(outcome.targets.length).toBeLessThanOrEqual(4);
      }),
      { numRuns: 1000 },
    );
  });

  it('never names a node of another group, nor of a group dedicated to another tenant', () => {
    fc.assert(
      fc.property(mesh, call, (m, c) => {
        const outcome = route(build(m), c);
        if (typeof outcome === 'string') return;
        const own = m.linked[c.tenant]!.includes(outcome.function);
        expect(outcome.groupId.startsWith('own-')).toBe(own);
        if (own) expect(outcome.groupId).toBe(`own-${c.tenant}`);
        for (const target of outcome.targets) expect(target.group).toBe(outcome.groupId);
        expect(outcome.owner.tenant.id).toBe(`t${c.tenant}`);
      }),
      { numRuns: 1000 },
    );
  });

  it('finds a node whenever its group has one that can take the session', () => {
    fc.assert(
      fc.property(mesh, call, (m, c) => {
        const snapshot = build(m);
        const outcome = route(snapshot, c);
        if (typeof outcome !== 'string' || outcome !== 'no_node') return;
        const group = /of group (\S+) can/.exec(refusalOf(snapshot, c))?.[1];
        if (group === undefined) return; // no group is linked for this function
        const able = snapshot.nodes.inGroup('media', group).filter((n) => whyNot(n, c.tried) === '');
        expect(able).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('is the same for the same inputs, whatever order the mesh was learnt in', () => {
    fc.assert(
      fc.property(mesh, call, (m, c) => {
        const snapshot = build(m);
        const first = outline(route(snapshot, c));
        expect(outline(route(snapshot, c))).toEqual(first);
        const other = build(m);
        for (const record of [...snapshot.nodes.records()].reverse()) other.nodes.put(record);
        for (const item of [...snapshot.directory.items()].reverse()) other.directory.put(item);
        expect(outline(route(other, c))).toEqual(first);
      }),
      { numRuns: 500 },
    );
  });

  it('puts two callers of one room on one node, at any instance, when its group hashes', () => {
    fc.assert(
      fc.property(mesh, call, call, (m, a, b) => {
        const hashing = { ...m, strategies: m.strategies.map(() => 'hash' as const) };
        const [first, second] = [a, b].map((c) =>
          route(build(hashing), { ...c, tenant: a.tenant, to: 'board', tried: [] }),
        );
        if (typeof first === 'string' || typeof second === 'string') expect(first).toBe(second);
        else expect(first!.targets[0]!.id).toBe(second!.targets[0]!.id);
      }),
      { numRuns: 300 },
    );
  });
});
