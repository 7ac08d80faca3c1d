import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Asked } from '../src/domain/destination/meaning.ts';
import { type Resolved, resolve, understandRequest } from '../src/domain/destination/resolve.ts';
import { base, GOLDEN, refusal, refusalOf } from './support/golden.ts';
import { lay } from './support/lay.ts';
import { buildSnapshot, type TestSnapshot } from './support/world.ts';
import { world } from './support/world-schema.ts';

/** The time of every scenario, Unix milliseconds. */
const NOW = 1_800_000_000_000;

const leg = z
  .strictObject({ agent: z.string(), trunk: z.string(), to: z.string(), by: z.array(z.string()) })
  .partial();

const scenario = z.strictObject({
  name: z.string(),
  given: z.record(z.string(), z.unknown()).default({}),
  /** Agent to the routers that hold its registrations, newest first. */
  registered: z.record(z.string(), z.array(z.string())).default({}),
  /** Trunk to calls that came by it. */
  in_use: z.record(z.string(), z.int()).default({}),
  dial: z
    .strictObject({
      tenant: z.string().default('acme'),
      from: z.string().default(''),
      from_agent: z.string().default(''),
    })
    .catchall(z.string()),
  is: z
    .strictObject({
      kind: z.string(),
      mailbox: z.string(),
      function: z.string(),
      room: z.string(),
      plays: z.string(),
      shows: z.string(),
      anonymous: z.boolean(),
    })
    .partial()
    .optional(),
  calls: z.array(z.array(leg)).optional(),
  refused: refusal.optional(),
  /** Another call in the same surroundings. */
  also: z.record(z.string(), z.unknown()).optional(),
});
type Scenario = z.infer<typeof scenario>;

const { about, given, scenarios } = z
  .strictObject({
    about: z.string(),
    given: z.record(z.string(), z.unknown()),
    scenarios: z.array(z.record(z.string(), z.unknown())),
  })
  .parse(parse(readFileSync(new URL('destinations/destinations.yaml', GOLDEN), 'utf8')));

function answer({ dial, registered }: Scenario, snapshot: TestSnapshot): Resolved {
  const { tenant, from, from_agent: callerAgent, ...said } = dial;
  const [[as, value]] = Object.entries(said) as [[Asked['as'], string]];
  const request = { tenantId: tenant, asked: { as, value }, caller: from, callerAgent, timeoutS: 30 };
  const understood = understandRequest(request, snapshot);
  return resolve(request, understood, new Map(Object.entries(registered)), snapshot, NOW, () => 0);
}

function describeAnswer({ meaning, dial, mailbox, function: fn }: Resolved): Record<string, unknown> {
  return {
    kind: meaning.kind === 'trunk' ? 'external' : meaning.kind,
    mailbox,
    function: fn,
    room: meaning.kind === 'conference' ? meaning.room : undefined,
    plays: meaning.kind === 'announcement' ? meaning.source : undefined,
    shows: dial?.callerNumber,
    anonymous: dial?.anonymous,
  };
}

function callsOf({ dial }: Resolved): Record<string, unknown>[][] {
  return (dial?.groups ?? []).map(({ legs }) =>
    legs.map(({ agentId, trunkId, hops }) => ({
      agent: agentId,
      trunk: trunkId,
      to: hops[0]!.uri,
      by: hops.map(({ node }) => node.id),
    })),
  );
}

function run(spec: Scenario): void {
  const snapshot = buildSnapshot(world.parse(lay(lay(base, given), spec.given)));
  for (const [trunkId, calls] of Object.entries(spec.in_use))
    for (let i = 0; i < calls; i += 1)
      snapshot.usage.confirm(`s-${i}`, { tenantId: 'acme', trunkId }, NOW - 60_000);
  if (spec.refused) {
    expect(refusalOf(() => answer(spec, snapshot))).toEqual(spec.refused);
    return;
  }
  const resolved = answer(spec, snapshot);
  expect(describeAnswer(resolved)).toMatchObject(spec.is ?? {});
  if (spec.calls) expect(callsOf(resolved)).toMatchObject(spec.calls);
}

describe(`destinations: ${about}`, () => {
  for (const raw of scenarios)
    it(String(raw.name), () => {
      const { also, ...first } = scenario.parse(raw);
      run(first);
      if (!also) return;
      const { name, given: around } = first;
      run(scenario.parse({ name, given: around, ...also }));
    });
});
