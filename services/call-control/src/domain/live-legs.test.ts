import { CallEvent } from '@callmesh/proto/call';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveLegs } from './live-legs.ts';

const HERE = { nodeId: 'fs-1', nodeEpoch: 'e1' };
const NEXT_LIFE = { nodeId: 'fs-1', nodeEpoch: 'e2' };
const event = (name: string, legUuid: string, more: Partial<CallEvent> = {}) =>
  CallEvent.fromPartial({
    ...{ event: name, legUuid, sessionId: 's', at: new Date(1_000), role: 'NODE_ROLE_MEDIA' },
    ...{ ...HERE, ...more },
  });
const told = (...events: CallEvent[]) => {
  const legs = new LiveLegs();
  for (const each of events) legs.apply(each);
  return legs;
};
const uuids = (legs: LiveLegs, life = HERE) => legs.of('s', life).map(({ legUuid }) => legUuid);

describe('live legs', () => {
  it('are those created and not hung up', () => {
    expect(uuids(told(event('created', 'a'), event('created', 'b'), event('hangup', 'a')))).toEqual(['b']);
  });

  it('keep the agent that was once told', () => {
    const legs = told(event('created', 'a', { agentId: 'alice@acme.example' }), event('answered', 'a'));
    expect(legs.leg('a')).toMatchObject({ agentId: 'alice@acme.example' });
  });

  it('do not depend on order or repetition', () => {
    const all = ['a', 'b', 'c'].flatMap((leg) => [event('created', leg), event('answered', leg)]);
    const ends = ['a', 'b'].map((leg) => event('hangup', leg));
    const twice = [...all, ...ends, ...all, ...ends];
    fc.assert(
      fc.property(fc.shuffledSubarray(twice, { minLength: twice.length }), (events) => {
        const legs = told(...events);
        expect(uuids(legs)).toEqual(['c']);
        expect(legs.size).toBe(1);
      }),
    );
  });

  it('end with the life of their node, and the end that is told then ends nobody else', () => {
    const later = { ...NEXT_LIFE, at: new Date(2_000) };
    const legs = told(
      event('created', 'a'),
      event('created', 'b', later),
      event('hangup', 'a', { reconciled: true, at: new Date(3_000) }),
      event('answered', 'a', { at: new Date(3_000) }),
    );
    expect(uuids(legs, NEXT_LIFE)).toEqual(['b']);
    expect(legs.size).toBe(1);
  });

  it('are those of the media node the session lives on, and of all that only pass signalling on', () => {
    const legs = told(
      event('created', 'a'),
      event('created', 'r', { nodeId: 'fs-router-1', role: 'NODE_ROLE_ROUTER' }),
    );
    expect(uuids(legs)).toEqual(['a', 'r']);
    expect(uuids(legs, { nodeId: 'fs-2', nodeEpoch: 'e1' })).toEqual(['r']);
  });

  it('are bounded: the oldest go', () => {
    const legs = new LiveLegs(2);
    for (const uuid of ['a', 'b', 'c']) legs.apply(event('created', uuid));
    expect(uuids(legs)).toEqual(['b', 'c']);
  });
});
