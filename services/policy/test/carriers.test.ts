import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type OutboundPlans, planOutbound, requirePlan } from '../src/domain/numbers/plan.ts';
import { base, refusal, refusalOf } from './support/golden.ts';
import { lay } from './support/lay.ts';
import { buildSnapshot, type TestSnapshot } from './support/world.ts';
import { world } from './support/world-schema.ts';

/** The time of every scenario, Unix milliseconds. */
const NOW = 1_800_000_000_000;
const CHOICE = new URL('../golden/carriers/choice.yaml', import.meta.url);

const scenario = z.strictObject({
  name: z.string(),
  given: z.record(z.string(), z.unknown()).default({}),
  /** Number in [0, 1) every draw gives. */
  random: z.number().default(0),
  /** Trunk to what uses it: calls that came by it, legs that left by it, calls sent out this moment. */
  usage: z
    .record(
      z.string(),
      z.strictObject({ in: z.int().default(0), out: z.int().default(0), just_sent: z.int().default(0) }),
    )
    .default({}),
  out: z.strictObject({
    tenant: z.string().default('acme'),
    number: z.string(),
    from: z.string().default(''),
    trunk: z.string().optional(),
  }),
  tries: z.array(z.string()).optional(),
  not_tried: z.record(z.string(), z.string()).default({}),
  fails_over: z.array(z.string()).default([]),
  fails_not_over: z.array(z.string()).default([]),
  refused: refusal.optional(),
});
type Scenario = z.infer<typeof scenario>;

const { about, given, scenarios } = z
  .strictObject({ about: z.string(), given: z.record(z.string(), z.unknown()), scenarios: z.array(scenario) })
  .parse(parse(readFileSync(CHOICE, 'utf8')));

function plansOf({ out, random }: Scenario, snapshot: TestSnapshot): OutboundPlans {
  const tenant = snapshot.directory.tenant(out.tenant)!;
  const trunk = out.trunk === undefined ? undefined : snapshot.directory.trunk(out.trunk);
  const caller = { number: out.from, anonymous: false };
  const made = planOutbound({ tenant, number: out.number, caller, trunk }, snapshot, NOW, () => random);
  requirePlan(made);
  return made;
}

function fill({ usage }: TestSnapshot, spec: Scenario['usage']): void {
  const life = { nodeId: 'fs-tandem-1', nodeEpoch: 'e1', since: NOW };
  for (const [trunkId, uses] of Object.entries(spec)) {
    for (let i = 0; i < uses.in; i += 1)
      usage.confirm(`in-${trunkId}-${i}`, { tenantId: 'acme', trunkId }, NOW - 60_000);
    for (let i = 0; i < uses.out; i += 1)
      usage.calledOut(`leg-${trunkId}-${i}`, { trunkId, sessionId: `s-${i}`, ...life }, NOW - 60_000);
    for (let i = 0; i < uses.just_sent; i += 1) usage.callOut(`new-${trunkId}-${i}`, trunkId, NOW - 100);
  }
}

describe(`carriers: ${about}`, () => {
  it.each(scenarios)('$name', (spec) => {
    const snapshot = buildSnapshot(world.parse(lay(lay(base, given), spec.given)));
    fill(snapshot, spec.usage);
    if (spec.refused) {
      expect(refusalOf(() => plansOf(spec, snapshot))).toEqual(spec.refused);
      return;
    }
    const { plans, refused } = plansOf(spec, snapshot);
    if (spec.tries) expect(plans.map(({ trunk }) => trunk.id)).toEqual(spec.tries);
    const why = Object.fromEntries(refused.map(({ trunk, why: reason }) => [trunk.id, reason]));
    expect(why).toMatchObject(spec.not_tried);
    const [{ failoverCauses }] = plans as [(typeof plans)[0]];
    expect(failoverCauses).toEqual(expect.arrayContaining(spec.fails_over));
    for (const cause of spec.fails_not_over) expect(failoverCauses).not.toContain(cause);
  });
});
