import { CallEvent } from '@callmesh/proto/call';
import { NodeRole } from '@callmesh/proto/node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { at, BEGIN, eventOf, eventsOf, type Story } from '../../../test/calls.ts';
import { type Leg, legKey, merge, Told } from './leg.ts';
import { lost } from './lost.ts';
import { tellingOf } from './telling.ts';

const STORY: Story = { leg: 'a', created: 0, answered: 500, ended: 9_000, endedBy: 'far', mos: 4.2 };
const tell = (event: CallEvent) => tellingOf(event) as Leg;

describe('what an event tells of a leg', () => {
  it('is nothing for events records are not made of', () => {
    for (const event of ['ringing', 'bridged', 'dtmf', 'recorded', ''])
      expect(tellingOf(eventOf(STORY, event, 10))).toBeUndefined();
  });

  it.each<[string, Partial<CallEvent>]>([
    ['tenant', { tenantId: 'ACME; drop table leg' }],
    ['session', { sessionId: '../../etc' }],
    ['leg', { legUuid: '' }],
    ['epoch', { nodeEpoch: 'x'.repeat(65) }],
    ['time', { at: undefined, summary: undefined }],
    ['time of any calendar', { at: new Date(Number.NaN), summary: undefined }],
  ])('is not usable without a proper %s', (_, wrong) => {
    expect(tellingOf({ ...eventOf(STORY, 'hangup', 9_000), ...wrong })).toBe('unusable');
  });

  it('is cut to what a database takes', () => {
    const event = {
      ...eventOf(STORY, 'hangup', 9_000),
      caller: `\0${'x'.repeat(300)}`,
      callee: '\ud800half',
      role: NodeRole.UNRECOGNIZED,
    };
    Object.assign(event.summary!, { sipStatus: 4_000_000_000, endedAt: new Date(1e18) });
    Object.assign(event.summary!.quality!, { mos: Number.NaN, packets: 1e300 });
    expect(tell(event)).toMatchObject({
      caller: 'x'.repeat(255),
      callee: '\ufffdhalf',
      role: '',
      sipStatus: 999,
      endedAt: at(9_000),
      mos: 0,
      packets: Number.MAX_SAFE_INTEGER,
    });
  });

  it('never throws, whatever an event holds', () => {
    const anything = fc.record({
      event: fc.constantFrom('created', 'answered', 'hangup'),
      tenantId: fc.string({ unit: 'binary' }),
      sessionId: fc.oneof(fc.string(), fc.constant('00112233445566aa')),
      legUuid: fc.string(),
      nodeEpoch: fc.string(),
      caller: fc.string({ unit: 'binary', maxLength: 600 }),
      at: fc.option(fc.date({ noInvalidDate: false }), { nil: undefined }),
      summary: fc.option(
        fc.record({
          createdAt: fc.date({ noInvalidDate: false }),
          sipStatus: fc.double(),
          q850Cause: fc.double(),
        }),
        { nil: undefined },
      ),
    });
    fc.assert(
      fc.property(anything, (fields) => {
        const telling = tellingOf(CallEvent.fromPartial(fields as CallEvent));
        if (telling && telling !== 'unusable') JSON.stringify(telling);
      }),
    );
  });
});

describe('what is known of a leg', () => {
  const known = (events: readonly CallEvent[]) => events.map(tell).reduce(merge);

  it('does not depend on the order of its events, nor on how often they come', () => {
    const events = [
      ...eventsOf({ ...STORY, agent: 'alice@acme.example', trunk: 'pbx' }),
      { ...eventOf(STORY, 'created', 700), reconciled: true, function: '' },
      { ...eventOf(STORY, 'hangup', 9_500), reconciled: true, summary: undefined },
    ];
    const expected = known(events);
    expect(expected).toMatchObject({
      startedAt: at(0),
      answeredAt: at(500),
      endedAt: at(9_000),
      told: Told.ended,
    });
    const orders = fc.shuffledSubarray([...events, ...events], { minLength: 6, maxLength: 10 });
    fc.assert(
      fc.property(orders, (order) => {
        const missing = events.filter((event) => !order.includes(event));
        expect(known([...order, ...missing])).toEqual(expected);
      }),
    );
  });

  it('is the same object when there is nothing new', () => {
    const leg = known(eventsOf(STORY));
    for (const event of eventsOf(STORY)) expect(merge(leg, tell(event))).toBe(leg);
  });

  it('keeps that it was answered when its end was not seen', () => {
    const end = { ...eventOf(STORY, 'hangup', 9_000), reconciled: true, summary: undefined };
    expect(known([eventOf(STORY, 'answered', 500), end])).toMatchObject({
      answeredAt: at(500),
      endedAt: at(9_000),
      told: Told.endUnseen,
    });
  });

  it('believes the end it is told at last, not the one it was given when its node was lost', () => {
    const alive = known(eventsOf({ ...STORY, ended: undefined } as unknown as Story));
    const given = merge(alive, lost(alive, new Date(BEGIN + 600)));
    expect(given).toMatchObject({ endedAt: at(600), hangupCause: 'NORMAL_UNSPECIFIED' });
    expect(merge(given, tell(eventOf(STORY, 'hangup', 9_000)))).toMatchObject({
      endedAt: at(9_000),
      hangupCause: 'NORMAL_CLEARING',
      endedBy: 'far',
    });
    expect(legKey(given)).toBe(legKey(alive));
  });

  it('does not end before it was last seen', () => {
    const alive = known([eventOf(STORY, 'created', 0), eventOf(STORY, 'answered', 500)]);
    expect(lost(alive, new Date(0)).endedAt).toEqual(at(500));
  });
});
