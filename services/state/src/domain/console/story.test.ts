import { GetSessionResponse } from '@callmesh/proto/cdr';
import { Decided } from '@callmesh/proto/policy';
import { Binding } from '@callmesh/proto/session';
import { describe, expect, it } from 'vitest';
import { type Known, tell } from './story.ts';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 8, 0, second));
const nothing: Known = {
  decisions: [],
  moves: [],
  binding: undefined,
  legs: [],
  record: undefined,
  missing: [],
};
const decision = Decided.fromPartial({
  ...{
    at: at(1),
    instance: 'policy-1',
    edgeId: 'kama-pstn-1',
    callId: 'c1@pbx',
    sessionId: 's1',
    tenantId: 'acme',
  },
  ...{ groupId: 'red', nodeId: 'fs-1', strategy: 'lightest', reason: 'lightest: 3 of 100', tookMs: 0.5 },
});
const refused = Decided.fromPartial({
  at: at(2),
  callId: 'c2@pbx',
  refusedCode: 'limit_calls',
  reason: 'acme is full',
});
const show = (party: string) => party;
const whats = (known: Partial<Known>) => tell({ ...nothing, ...known }, show)?.steps.map(({ what }) => what);

describe('the story of a session', () => {
  it('is none when nothing is known', () => {
    expect(tell(nothing, show)).toBeUndefined();
  });

  it('tells why it got its node, and that it moved', () => {
    const moves = [{ at: at(5), sessionId: 's1', tenantId: 'acme', fromNodeId: 'fs-1', toNodeId: 'fs-2' }];
    const binding = Binding.fromPartial({
      sessionId: 's1',
      tenantId: 'acme',
      nodeId: 'fs-2',
      callId: 'c1@pbx',
      groupId: 'red',
    });
    const story = tell({ ...nothing, decisions: [decision], moves, binding }, show)!;
    expect(story).toMatchObject({ state: 'live', node: 'fs-2', group: 'red', callId: 'c1@pbx' });
    expect(story.steps.map(({ what, node }) => `${what} ${node}`)).toEqual(['got a node fs-1', 'moved fs-2']);
  });

  it('says where it lives when its decision is no longer kept', () => {
    const binding = Binding.fromPartial({
      sessionId: 's1',
      tenantId: 'acme',
      nodeId: 'fs-1',
      createdAt: at(0),
    });
    expect(whats({ binding })).toEqual(['got a node']);
  });

  it('tells a refusal with its code', () => {
    expect(tell({ ...nothing, decisions: [refused] }, show)).toMatchObject({ state: 'refused', session: '' });
    expect(whats({ decisions: [refused] })).toEqual(['refused: limit_calls']);
  });

  it('tells how it ended, in the order it happened, and hides who called', () => {
    const leg = {
      ...{ legUuid: 'l1', nodeId: 'fs-1', caller: '+49301', callee: '200', hangupCause: 'NORMAL_CLEARING' },
      ...{
        disposition: 'DISPOSITION_ANSWERED' as const,
        summary: { createdAt: at(2), answeredAt: at(3), endedAt: at(9) },
      },
    };
    const session = {
      sessionId: 's1',
      tenantId: 'acme',
      caller: '+49301',
      endedAt: at(9),
      nodeIds: ['fs-1'],
      endedBy: 'caller',
    };
    const record = GetSessionResponse.fromPartial({
      session: { ...session, disposition: leg.disposition, hangupCause: leg.hangupCause },
      legs: [leg],
    });
    const story = tell({ ...nothing, decisions: [decision], record }, () => 'somebody')!;
    expect(story.outcome).toBe('answered, NORMAL_CLEARING, ended by caller');
    expect(story.caller).toBe('somebody');
    expect(story.steps.map(({ what }) => what)).toEqual([
      'got a node',
      'a leg called in',
      'answered',
      'a leg ended',
    ]);
    expect(JSON.stringify(story)).not.toContain('49301');
  });
});
