import { readdirSync, readFileSync } from 'node:fs';
import { CallmeshError, catalogue, type ErrorCode } from '@callmesh/runtime';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { decide } from '../src/domain/decide.ts';
import { type Decision, proposalOf, settle } from '../src/domain/decision.ts';
import { locateDialog } from '../src/domain/dialog.ts';
import type { Trace } from '../src/domain/trace.ts';
import { base, GOLDEN, refusal } from './support/golden.ts';
import { lay } from './support/lay.ts';
import { buildBinding, buildRequest, buildSnapshot, EPOCH, type TestSnapshot } from './support/world.ts';
import { binding, callSpec, world } from './support/world-schema.ts';

/** The time of every scenario, Unix milliseconds. */
const NOW = 1_800_000_000_000;

const usage = z.strictObject({ silent_for_s: z.number().optional() }).catchall(
  z.strictObject({
    calls: z.int().default(0),
    started_last_second: z.int().default(0),
    trunk: z.string().default(''),
  }),
);

const expectation = z.strictObject({
  tenant: z.string().optional(),
  trunk: z.string().optional(),
  agent: z.string().optional(),
  role: z.string().optional(),
  function: z.string().optional(),
  group: z.string().optional(),
  node: z.string().optional(),
  alternates: z.array(z.string()).optional(),
  reason: z.string().optional(),
  affinity: z.string().optional(),
  send: z.string().optional(),
  calling: z.string().optional(),
  session: z.string().optional(),
  rebound: z.boolean().optional(),
  realm: z.string().optional(),
  ha1: z.boolean().optional(),
  moved: z.boolean().optional(),
  replace: z.boolean().optional(),
});

const parts = {
  given: z.record(z.string(), z.unknown()).optional(),
  usage: usage.optional(),
  bindings: z.array(binding).default([]),
  /** Agent to the node where a leg of the agent lives. */
  talking: z.record(z.string(), z.string()).default({}),
  /** Number in [0, 1) every draw gives. */
  random: z.number().default(0),
  /** Group to the node it chose last. */
  last_chosen: z.record(z.string(), z.string()).default({}),
  call: callSpec.optional(),
  dialog: z
    .strictObject({ tenant: z.string().default('acme'), call_id: z.string(), node: z.string() })
    .optional(),
  /** What session-cache answers to the bind: another instance was first. */
  elsewhere: binding.optional(),
  decision: expectation.optional(),
  refused: refusal.optional(),
  not_chosen: z.record(z.string(), z.string()).default({}),
};

const scenario = z.strictObject({
  ...parts,
  name: z.string(),
  /** The same scenario with this laid over it. */
  also: z.record(z.string(), z.unknown()).optional(),
});
type Scenario = z.infer<typeof scenario>;

const document = z.strictObject({
  about: z.string(),
  given: z.record(z.string(), z.unknown()).default({}),
  scenarios: z.array(z.record(z.string(), z.unknown())),
});

const seenRefusals = new Set<string>();

for (const file of readdirSync(GOLDEN).filter((name) => /^[^_].*\.yaml$/.test(name))) {
  const { about, given, scenarios } = document.parse(parse(readFileSync(new URL(file, GOLDEN), 'utf8')));
  describe(`${file}: ${about}`, () => {
    for (const raw of scenarios) it(String(raw.name), () => runBoth(raw, lay(base, given)));
  });
}

describe('golden scenarios', () => {
  it('show every refusal that policy can give', () => {
    const possible: ErrorCode[] = [
      'invalid_argument',
      'unauthenticated',
      'challenge',
      'unknown_trunk',
      'unknown_number',
      'unknown_agent',
      'tenant_disabled',
      'trunk_disabled',
      'agent_disabled',
      'destination_forbidden',
      'tenant_forbidden',
      'origin_forbidden',
      'limit_calls',
      'limit_cps',
      'no_node',
      'session_gone',
      'unavailable',
      'not_found',
    ];
    expect([...seenRefusals].sort()).toEqual([...possible].sort());
  });
});

function runBoth(raw: Record<string, unknown>, start: unknown): void {
  const first = scenario.parse(raw);
  run(first, start);
  if (!first.also) return;
  const { also, decision: _decision, refused: _refused, ...rest } = raw;
  run(scenario.parse(lay(rest, also)), start);
}

function run(spec: Scenario, start: unknown): void {
  const snapshot = buildSnapshot(world.parse(lay(start, spec.given)));
  for (const entry of spec.bindings) snapshot.bindings.put(buildBinding(entry));
  for (const [agentId, nodeId] of Object.entries(spec.talking))
    snapshot.agents.begun(agentId, { agentId, nodeId, nodeEpoch: EPOCH, since: 0 });
  for (const [group, node] of Object.entries(spec.last_chosen)) snapshot.turns.set(group, node);
  fillUsage(snapshot, spec.usage);
  const refusedFor = new Map<string, string>();
  const trace: Trace = {
    verbose: true,
    step() {},
    candidate: (node, refused) => refusedFor.set(node.id, refused),
  };
  const outcome = attempt(() =>
    spec.dialog ? answerDialog(spec, snapshot) : answerCall(spec, snapshot, trace),
  );
  if (spec.refused) expectRefusal(outcome, spec.refused);
  else if (outcome instanceof Error) throw outcome;
  else expect(outcome).toMatchObject(expectation.parse(spec.decision));
  for (const [node, why] of Object.entries(spec.not_chosen))
    expect(`${node}: ${refusedFor.get(node)}`).toBe(`${node}: ${why}`);
}

function answerCall(spec: Scenario, snapshot: TestSnapshot, trace: Trace): Record<string, unknown> {
  const request = buildRequest(callSpec.parse(spec.call ?? {}));
  const decision = decide(request, snapshot, NOW, () => spec.random, trace);
  const proposal = proposalOf(decision, request, 'new');
  const holder = spec.elsewhere ? buildBinding(spec.elsewhere) : proposal;
  const settled = settle(decision, proposal, holder, snapshot.nodes);
  return {
    ...describeDecision(settled?.decision ?? decision, settled?.bound ? holder.sessionId : 'new'),
    replace: settled === undefined,
  };
}

function describeDecision(decision: Decision, session: string): Record<string, unknown> {
  const [first, ...others] = decision.targets;
  return {
    tenant: decision.owner.tenant.id,
    trunk: decision.owner.trunk?.id,
    agent: decision.owner.agent?.id,
    role: decision.role,
    function: decision.function,
    group: decision.groupId,
    node: first?.id,
    alternates: others.map(({ id }) => id),
    reason: decision.reason,
    affinity: decision.affinityKey,
    send: decision.calledUser,
    calling: decision.callingNumber,
    session,
    rebound: decision.held !== undefined,
    realm: decision.owner.realm,
    ha1: (decision.owner.ha1 ?? '') !== '',
  };
}

function answerDialog({ dialog }: Scenario, { bindings, nodes }: TestSnapshot): Record<string, unknown> {
  const { tenant, call_id, node: address } = dialog!;
  const { node, moved } = locateDialog(bindings.byCallId(tenant, 'media', call_id), address, nodes);
  return { node: node.id, moved };
}

function fillUsage({ usage: live }: TestSnapshot, spec: Scenario['usage']): void {
  for (const [tenantId, entry] of Object.entries(spec ?? {})) {
    if (typeof entry !== 'object') continue;
    const session = { tenantId, trunkId: entry.trunk };
    for (let i = 0; i < entry.calls; i += 1) live.confirm(`old-${tenantId}-${i}`, session, NOW - 10_000);
    for (let i = 0; i < entry.started_last_second; i += 1)
      live.start(`new-${tenantId}-${i}`, session, NOW - 300);
  }
  if (spec?.silent_for_s !== undefined) live.silentSince = NOW - spec.silent_for_s * 1000;
}

function attempt<T>(act: () => T): T | CallmeshError {
  try {
    return act();
  } catch (error) {
    if (error instanceof CallmeshError) return error;
    throw error;
  }
}

function expectRefusal(outcome: unknown, expected: z.infer<typeof refusal>): void {
  expect(outcome).toBeInstanceOf(CallmeshError);
  const error = outcome as CallmeshError;
  seenRefusals.add(error.code);
  const { code, retryAfterS, realm } = error;
  expect({ code, sip: catalogue[code].sip, retry_after: retryAfterS, realm, why: error.message }).toEqual({
    retry_after: undefined,
    realm: undefined,
    ...expected,
    why: error.message,
  });
}
