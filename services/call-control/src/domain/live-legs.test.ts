import { CallEvent } from '@callmesh/proto/call';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveLegs } from './live-legs.ts';

const event = (name: string, legUuid: string, more: Partial<CallEvent> = {}) =>
  CallEvent.fromPartial({ event: name, legUuid, sessionId: 's', nodeId: 'fs-1', nodeEpoch: 'e1', ...more });

describe('live legs', () => {
  it('are those created and not hung up', () => {
    const legs = new LiveLegs();
    legs.apply(event('created', 'a'));
    legs.apply(event('created', 'b'));
    legs.apply(event('hangup', 'a'));
    expect(legs.of('s').map(({ legUuid }) => legUuid)).toEqual(['b']);
  });

  it('keep the agent that was once told', () => {
    const legs = new LiveLegs();
    legs.apply(event('created', 'a', { agentId: 'alice@acme.example' }));
    legs.apply(event('answered', 'a'));
    expect(legs.leg('s', 'a')).toMatchObject({ agentId: 'alice@acme.example' });
  });

  it('do not depend on order or repetition', () => {
    const all = ['a', 'b', 'c'].flatMap((leg) => [event('created', leg), event('answered', leg)]);
    const ends = ['a', 'b'].map((leg) => event('hangup', leg));
    const told = fc.shuffledSubarray([...all, ...ends, ...all, ...ends], {
      minLength: all.length * 2 + ends.length * 2,
    });
    fc.assert(
      fc.property(told, (events) => {
        const legs = new LiveLegs();
        for (const each of events) legs.apply(each);
        expect(legs.of('s').map(({ legUuid }) => legUuid)).toEqual(['c']);
        expect(legs.size).toBe(1);
      }),
    );
  });

  it('end with the life of their node', () => {
    const legs = new LiveLegs();
    legs.apply(event('created', 'a'));
    legs.apply(event('created', 'b', { nodeEpoch: 'e2' }));
    legs.forgetNode('fs-1', 'e1');
    expect(legs.of('s').map(({ legUuid }) => legUuid)).toEqual(['b']);
  });
});
