import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TrunkLeg, TrunkLegs } from './trunk-legs.ts';

const leg = (over: Partial<TrunkLeg> = {}): TrunkLeg => ({
  trunkId: 'alpha',
  sessionId: 's1',
  nodeId: 'fs-tandem-1',
  nodeEpoch: 'e1',
  since: 0,
  ...over,
});

describe('legs out through trunks', () => {
  it('are counted from when a call is sent out, and once', () => {
    const legs = new TrunkLegs();
    expect(legs.assign('s1', 'alpha', 0)).toBe(true);
    expect(legs.assign('s1', 'alpha', 1)).toBe(false);
    expect(legs.count('alpha')).toBe(1);
    expect(legs.created('u1', leg())).toBe(false);
    expect(legs.created('u1', leg())).toBe(false);
    expect(legs.count('alpha')).toBe(1);
    legs.ended('u1');
    legs.ended('u1');
    expect([legs.count('alpha'), legs.size]).toEqual([0, 0]);
  });

  it('count at the trunk that took the call, whichever was to be tried first', () => {
    const legs = new TrunkLegs();
    legs.assign('s1', 'alpha', 0);
    legs.created('u1', leg({ trunkId: 'beta' }));
    expect([legs.count('alpha'), legs.count('beta')]).toEqual([0, 1]);
  });

  it('of another instance are known by their node', () => {
    const legs = new TrunkLegs();
    expect(legs.created('u1', leg({ sessionId: 'theirs' }))).toBe(true);
    expect(legs.count('alpha')).toBe(1);
  });

  it('that never came are forgotten after a while', () => {
    const legs = new TrunkLegs();
    legs.assign('s1', 'alpha', 0);
    legs.sweep(9_999, () => true);
    expect(legs.count('alpha')).toBe(1);
    legs.sweep(10_000, () => true);
    expect(legs.count('alpha')).toBe(0);
  });

  it('of a node life that is over are gone with it', () => {
    const legs = new TrunkLegs();
    legs.created('u1', leg());
    legs.created('u2', leg({ nodeEpoch: 'e2' }));
    legs.sweep(0, ({ nodeEpoch }) => nodeEpoch === 'e2');
    expect(legs.count('alpha')).toBe(1);
  });

  it('never add up to less than nothing, whatever order things are heard in', () => {
    const ids = fc.constantFrom('1', '2', '3');
    const trunks = fc.constantFrom('alpha', 'beta');
    const step = fc.oneof(
      fc.record({ do: fc.constant('assign' as const), id: ids, trunk: trunks }),
      fc.record({ do: fc.constant('created' as const), id: ids, trunk: trunks }),
      fc.record({ do: fc.constant('ended' as const), id: ids, trunk: trunks }),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const legs = new TrunkLegs();
        for (const { do: what, id, trunk } of steps) {
          if (what === 'assign') legs.assign(id, trunk, 0);
          else if (what === 'created') legs.created(id, leg({ trunkId: trunk, sessionId: id }));
          else legs.ended(id);
        }
        expect(legs.count('alpha') + legs.count('beta')).toBe(legs.size);
      }),
    );
  });
});
