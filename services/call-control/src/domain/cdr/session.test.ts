import { Disposition } from '@callmesh/proto/cdr';
import { NodeRole } from '@callmesh/proto/node';
import { describe, expect, it } from 'vitest';
import { at, eventsOf, type Story } from '../../../test/calls.ts';
import { type Leg, legKey, merge } from './leg.ts';
import { sessionOf } from './session.ts';
import { tellingOf } from './telling.ts';

/** The legs of a story after everything was told. */
function legsOf(...stories: Story[]): Leg[] {
  const legs = new Map<string, Leg>();
  for (const event of stories.flatMap(eventsOf)) {
    const leg = tellingOf(event) as Leg;
    const before = legs.get(legKey(leg));
    legs.set(legKey(leg), before ? merge(before, leg) : leg);
  }
  return [...legs.values()];
}
const session = (...stories: Story[]) => sessionOf(legsOf(...stories));

const CALLER: Story = { leg: 'a', created: 0, trunk: 'acme-pbx' };
const CALLEE: Story = { leg: 'b', created: 50, outbound: true, agent: 'alice@acme.example' };

describe("a session's record", () => {
  it('of an answered call: when the other side answered, who ended it, for how long they talked', () => {
    expect(
      session(
        { ...CALLER, answered: 3_010, ended: 63_020, endedBy: 'near', mos: 4.1 },
        { ...CALLEE, answered: 3_000, ended: 63_000, endedBy: 'far', mos: 3.9 },
      ),
    ).toEqual({
      tenantId: 'acme',
      sessionId: '00112233445566aa',
      function: 'general',
      caller: '+4930100',
      callee: '200',
      startedAt: at(0),
      answeredAt: at(3_000),
      endedAt: at(63_020),
      talkMs: 60_020,
      disposition: Disposition.DISPOSITION_ANSWERED,
      hangupCause: 'NORMAL_CLEARING',
      endedBy: 'callee',
      nodeIds: ['fs-media-a1'],
      trunkIds: ['acme-pbx'],
      agentIds: ['alice@acme.example'],
      legs: 2,
      transferred: false,
      worstMos: 3.9,
    });
  });

  it.each<[string, string, string, Disposition]>([
    ['busy', 'USER_BUSY', 'USER_BUSY', Disposition.DISPOSITION_BUSY],
    [
      'busy, told by the leg that was tried alone',
      'NORMAL_CLEARING',
      'USER_BUSY',
      Disposition.DISPOSITION_BUSY,
    ],
    ['nobody answers', 'NO_ANSWER', 'NO_ANSWER', Disposition.DISPOSITION_NO_ANSWER],
    ['nobody answers in time', 'ALLOTTED_TIMEOUT', 'ALLOTTED_TIMEOUT', Disposition.DISPOSITION_NO_ANSWER],
    ['the phone is not there', 'NO_USER_RESPONSE', 'NO_USER_RESPONSE', Disposition.DISPOSITION_NO_ANSWER],
    ['the caller gives up', 'ORIGINATOR_CANCEL', 'ORIGINATOR_CANCEL', Disposition.DISPOSITION_CANCELLED],
    ['it fails', 'NORMAL_TEMPORARY_FAILURE', 'GATEWAY_DOWN', Disposition.DISPOSITION_FAILED],
    ['it ends without a reason', 'NORMAL_CLEARING', 'NORMAL_CLEARING', Disposition.DISPOSITION_FAILED],
  ])('says how a call went when %s', (_, cause, otherCause, disposition) => {
    expect(
      session({ ...CALLER, ended: 9_000, cause }, { ...CALLEE, ended: 8_990, cause: otherCause }),
    ).toMatchObject({ disposition, hangupCause: cause, answeredAt: null, talkMs: 0, agentIds: [] });
  });

  it('of a second carrier that took the call after the first refused is answered', () => {
    expect(
      session(
        { ...CALLER, answered: 5_000, ended: 9_000, endedBy: 'far' },
        { ...CALLEE, leg: 'b1', ended: 1_000, cause: 'USER_BUSY', endedBy: 'far' },
        { ...CALLEE, leg: 'b2', created: 1_010, answered: 4_990, ended: 9_010 },
      ),
    ).toMatchObject({ disposition: Disposition.DISPOSITION_ANSWERED, endedBy: 'caller', legs: 3 });
  });

  it('of a call an application took alone is answered when the application answered', () => {
    expect(session({ ...CALLER, answered: 20, ended: 5_000, endedBy: 'near' })).toMatchObject({
      answeredAt: at(20),
      talkMs: 4_980,
      endedBy: 'platform',
    });
  });

  it('of an agent who was called first to be connected is answered by whom he was connected with', () => {
    const agent: Story = { ...CALLEE, leg: 'a', created: 0, answered: 1_000, ended: 9_000 };
    const customer: Story = { leg: 'b', created: 1_010, outbound: true, ended: 8_990, cause: 'USER_BUSY' };
    expect(session(agent, customer)).toMatchObject({
      disposition: Disposition.DISPOSITION_BUSY,
      answeredAt: null,
    });
    expect(session(agent, { ...customer, answered: 4_000 })).toMatchObject({ answeredAt: at(4_000) });
  });

  it('of a customer a bot called is answered when the customer took it', () => {
    const customer: Story = { leg: 'a', created: 0, outbound: true, answered: 1_000, ended: 9_000 };
    const agent: Story = { ...CALLEE, created: 5_000, ended: 8_990, cause: 'NO_ANSWER' };
    expect(session(customer, agent)).toMatchObject({ answeredAt: at(1_000), endedBy: 'platform' });
    expect(session({ ...customer, endedBy: 'far' })).toMatchObject({ endedBy: 'callee' });
  });

  it('of a transferred call names both agents, and who of the last two ended it', () => {
    const legs: Story[] = [
      { ...CALLER, answered: 1_000, ended: 60_000, endedBy: 'far' },
      { ...CALLEE, answered: 990, ended: 20_000, endedBy: 'far', transferred: true },
      { ...CALLEE, leg: 'c', agent: 'bob@acme.example', created: 20_010, answered: 25_000, ended: 60_020 },
    ];
    expect(session(...legs)).toMatchObject({
      transferred: true,
      agentIds: ['alice@acme.example', 'bob@acme.example'],
      endedBy: 'caller',
    });
    const byPlatform = legs.map((leg) => (leg.leg === 'b' ? leg : { ...leg, endedBy: 'near' as const }));
    expect(session(...byPlatform)).toMatchObject({ endedBy: 'platform' });
  });

  it('has no end while a leg is known to live, and no outcome unless it was answered', () => {
    const ringing: Story[] = [CALLER, { ...CALLEE, ended: 5_000, cause: 'NO_ANSWER' }];
    expect(session(...ringing)).toMatchObject({
      endedAt: null,
      talkMs: 0,
      disposition: Disposition.DISPOSITION_UNSPECIFIED,
      endedBy: '',
      legs: 1,
    });
    expect(session({ ...CALLER, answered: 10 }, ringing[1]!)).toMatchObject({
      endedAt: null,
      talkMs: 0,
      disposition: Disposition.DISPOSITION_ANSWERED,
    });
  });

  it('is there as soon as a leg has ended, not before', () => {
    expect(session(CALLER, { ...CALLEE, answered: 100 })).toBeUndefined();
  });

  it('is of the legs on media nodes, of all when there was none; trunks are known elsewhere, too', () => {
    const tandem: Story = {
      leg: 't',
      role: NodeRole.NODE_ROLE_TANDEM,
      node: 'fs-tandem-1',
      trunk: 'carrier',
      created: 60,
      ended: 2_000,
      cause: 'USER_BUSY',
    };
    expect(session(tandem)).toMatchObject({ nodeIds: ['fs-tandem-1'], legs: 1 });
    expect(session({ ...CALLER, ended: 2_010, cause: 'USER_BUSY' }, tandem)).toMatchObject({
      nodeIds: ['fs-media-a1'],
      trunkIds: ['acme-pbx', 'carrier'],
      legs: 1,
    });
  });

  it('begins with the leg that called in, where times do not tell', () => {
    const called = { ...CALLEE, leg: '0', created: 0, ended: 10, caller: 'wrong' };
    expect(session(called, { ...CALLER, ended: 10 })).toMatchObject({ caller: '+4930100' });
  });

  it('does not know who ended it when the legs do not', () => {
    expect(session({ ...CALLER, answered: 10, ended: 20, endedBy: '' })).toMatchObject({ endedBy: '' });
  });
});
