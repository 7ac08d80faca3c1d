import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Device } from './device.ts';
import { type Tidings, Waiting } from './waiting.ts';

const about = (aor: string, contact: string, at = 0): Tidings => {
  const device: Device = { aor, contact, at, path: [], callId: '', userAgent: '', expiresAt: 1 };
  return { what: 'device', device };
};
const allGone = (aor: string): Tidings => ({ what: 'all gone', aor });

function told(waiting: Waiting): Tidings[] {
  const list: Tidings[] = [];
  for (const aor of waiting.aors())
    for (let next = waiting.next(aor); next; next = waiting.next(aor)) {
      list.push(next);
      waiting.remove(next);
    }
  return list;
}

describe('what waits to be told', () => {
  it('is the last of each contact, in order', () => {
    const waiting = new Waiting(10);
    const [phone, page, again] = [
      about('a@x', 'phone', 1),
      about('a@x', 'page', 2),
      about('a@x', 'phone', 3),
    ];
    for (const tidings of [phone, page, again]) waiting.add(tidings);
    expect(told(waiting)).toEqual([page, again]);
    expect(waiting.size).toBe(0);
  });

  it('is void for every contact before all of them are gone, and stands for those after', () => {
    const waiting = new Waiting(10);
    const later = about('a@x', 'new');
    for (const tidings of [about('a@x', 'old'), about('b@x', 'other'), allGone('a@x'), later])
      waiting.add(tidings);
    expect(told(waiting)).toEqual([about('b@x', 'other'), allGone('a@x'), later]);
  });

  it('stays when something newer came while it was told', () => {
    const waiting = new Waiting(10);
    const [first, second] = [about('a@x', 'phone', 1), about('a@x', 'phone', 2)];
    waiting.add(first);
    waiting.add(second);
    waiting.remove(first);
    expect(waiting.next('a@x')).toBe(second);
  });

  it('is never more than it may be, counts itself, and says last of each contact what came last', () => {
    const names = fc.constantFrom('a@x', 'b@x', 'c@x', 'd@x');
    const contacts = fc.constantFrom('1', '2', '3');
    const tidings = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.tuple(names, contacts, fc.nat()).map(([aor, one, at]) => about(aor, one, at)),
      },
      { weight: 1, arbitrary: names.map(allGone) },
    );
    fc.assert(
      fc.property(fc.array(tidings), (all) => {
        const waiting = new Waiting(6);
        for (const one of all) {
          waiting.add(one);
          expect(waiting.size).toBeLessThanOrEqual(6);
        }
        const { size } = waiting;
        const rest = told(waiting);
        expect(rest).toHaveLength(size);
        // Nobody's tidings overtake older ones of the same address of record.
        for (const aor of ['a@x', 'b@x', 'c@x', 'd@x']) {
          const mine = (one: Tidings) => (one.what === 'device' ? one.device.aor : one.aor) === aor;
          const order = rest.filter(mine).map((one) => all.lastIndexOf(one));
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        }
      }),
    );
  });
});
