import { CallmeshError } from '@callmesh/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tenant, Trunk } from '../src/domain/model.ts';
import { inOrder } from '../src/domain/numbers/carriers.ts';
import { requireDestination } from '../src/domain/numbers/destinations.ts';
import { longestPrefix, toE164 } from '../src/domain/numbers/e164.ts';
import { planFor } from '../src/domain/numbers/plan.ts';
import { premiumPrefixes } from '../src/domain/numbers/premium.ts';
import { seeded } from './support/rows.ts';
import { buildSnapshot } from './support/world.ts';
import { world } from './support/world-schema.ts';

const digits = (min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: min, maxLength: max });
/** Few first digits, so that prefixes meet numbers. */
const e164 = fc.tuple(fc.constantFrom('1', '49', '4930', '44'), digits(5, 9)).map(([a, b]) => `+${a}${b}`);
const prefix = e164.chain((number) =>
  fc.integer({ min: 2, max: 6 }).map((length) => number.slice(0, length)),
);
const prefixes = fc.array(prefix, { maxLength: 5 });

describe('a number', () => {
  it('is the same with two zeros, with separators, and looked at twice', () => {
    fc.assert(
      fc.property(e164, (number) => {
        const spaced = number.replace(/(\d{3})/g, '$1-');
        for (const said of [number, number.replace('+', '00'), spaced]) expect(toE164(said)).toBe(number);
      }),
    );
  });

  it('that is none stays none, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const number = toE164(text);
        if (number !== undefined) expect(number).toMatch(/^\+[1-9]\d{2,14}$/);
      }),
    );
  });
});

describe('a destination', () => {
  const tenant = fc.record({ allowed: prefixes, blocked: prefixes, premiumAllowed: fc.boolean() });
  const mayCall = (
    { allowed, blocked, premiumAllowed }: { allowed: string[]; blocked: string[]; premiumAllowed: boolean },
    number: string,
    premium: readonly string[],
  ) => {
    const of = { id: 'acme', allowedDestinations: allowed, blockedDestinations: blocked, premiumAllowed };
    try {
      requireDestination(of as unknown as Tenant, number, premium);
      return true;
    } catch (error) {
      if (error instanceof CallmeshError && error.code === 'destination_forbidden') return false;
      throw error;
    }
  };

  it('is what the longest prefix says, blocked before allowed', () => {
    fc.assert(
      fc.property(tenant, e164, prefixes, (who, number, premium) => {
        const length = (list: readonly string[]) => longestPrefix(list, number)?.length ?? 0;
        const [allowed, blocked] = [length(who.allowed), length(who.blocked)];
        const open = who.allowed.length === 0 || allowed > 0;
        const shut = blocked > 0 && blocked >= allowed;
        const dear = !who.premiumAllowed && length(premium) > allowed;
        expect(mayCall(who, number, premium)).toBe(open && !shut && !dear);
      }),
    );
  });

  it('does not depend on how it is written', () => {
    fc.assert(
      fc.property(tenant, e164, prefixes, (who, number, premium) => {
        expect(mayCall(who, number.replace('+', '00'), premium)).toBe(mayCall(who, number, premium));
      }),
    );
  });

  it('of the list that comes with policy is written as a prefix, once', () => {
    for (const one of premiumPrefixes) expect(one).toMatch(/^\+[1-9]\d{1,6}$/);
    expect(new Set(premiumPrefixes).size).toBe(premiumPrefixes.length);
    const nobody = { allowed: [], blocked: [], premiumAllowed: false };
    for (const number of ['+870773', '+88213', '+19005551234', '+18095550100', '+49900123', '+447012345'])
      expect(mayCall(nobody, number, premiumPrefixes), number).toBe(false);
    for (const number of ['+493012345', '+12125550100', '+442079460000', '+33142278186', '+390612345'])
      expect(mayCall(nobody, number, premiumPrefixes), number).toBe(true);
  });
});

describe('carriers', () => {
  const trunks = fc.uniqueArray(
    fc.record({ id: digits(1, 3), priority: fc.nat(2), weight: fc.integer({ min: 1, max: 9 }) }),
    { maxLength: 8, selector: ({ id }) => id },
  );

  it('are each tried once, those of lower priority before', () => {
    fc.assert(
      fc.property(trunks, fc.nat(), (list, seed) => {
        const order = inOrder(list as unknown as Trunk[], seeded(seed));
        expect(order.map(({ id }) => id).sort()).toEqual(list.map(({ id }) => id).sort());
        const priorities = order.map(({ priority }) => priority);
        expect(priorities).toEqual([...priorities].sort((a, b) => a - b));
      }),
    );
  });

  it('share calls by weight', () => {
    const list = [1, 3].map((weight) => ({ id: String(weight), priority: 0, weight }));
    const random = seeded(7);
    const first = Array.from({ length: 4_000 }, () => inOrder(list as unknown as Trunk[], random)[0]!.id);
    const share = first.filter((id) => id === '3').length / first.length;
    expect(share).toBeGreaterThan(0.72);
    expect(share).toBeLessThan(0.78);
  });
});

describe('a carrier that is shown own numbers only', () => {
  const own = ['+4930100', '+4930200'];
  const { directory } = buildSnapshot(
    world.parse({
      tenants: {
        acme: {
          domain: 'acme.example',
          numbers: Object.fromEntries(own.map((number) => [number, { to: 'control' }])),
          trunks: { carrier: { kind: 'carrier' } },
        },
      },
      nodes: {},
    }),
  );
  const trunk = directory.trunk('carrier')!;

  it('never hears of another, nor of who wants to be hidden in From', () => {
    const caller = fc.oneof(e164, fc.constantFrom(...own), fc.string());
    fc.assert(
      fc.property(caller, fc.boolean(), (number, anonymous) => {
        const { calling, asserted, privacy } = planFor(trunk, '+4989123', { number, anonymous }, directory);
        expect(own).toContain(asserted);
        if (anonymous) expect([calling.number, privacy]).toEqual(['', 'id']);
        else expect([calling.number, privacy]).toEqual([asserted, '']);
      }),
    );
  });
});
