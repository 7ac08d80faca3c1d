import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Outbox, type Waiting } from './outbox.ts';

const items = (outbox: Outbox<string>) => {
  const taken: string[] = [];
  for (let next = outbox.take(); next; next = outbox.take()) {
    taken.push(next.item);
    outbox.done(next);
  }
  return taken;
};

describe('an outbox', () => {
  it('has one of each lane under way at a time', () => {
    const outbox = new Outbox<string>(10);
    for (const item of ['a1', 'a2', 'b1']) outbox.add(item[0]!, item);
    const [first, second] = [outbox.take()!, outbox.take()!];
    expect([first.item, second.item, outbox.take()]).toEqual(['a1', 'b1', undefined]);
    outbox.done(first);
    expect(outbox.take()!.item).toBe('a2');
  });

  it('gives what failed again before what came later in its lane', () => {
    const outbox = new Outbox<string>(10);
    for (const item of ['a1', 'a2']) outbox.add('a', item);
    outbox.putBack(outbox.take()!);
    expect(items(outbox)).toEqual(['a1', 'a2']);
    expect(outbox.size).toBe(0);
  });

  it('lets the oldest go when it is full, but nothing that is under way', () => {
    const outbox = new Outbox<string>(3);
    for (const item of ['a1', 'a2', 'b1']) outbox.add(item[0]!, item);
    const underWay = outbox.take()!;
    expect(outbox.add('b', 'b2')).toBe(true);
    outbox.putBack(underWay);
    expect(items(outbox).toSorted()).toEqual(['a1', 'b1', 'b2']);
  });

  it('keeps the order of every lane whatever fails, and loses nothing', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), lane: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ do: fc.constantFrom('take' as const, 'done' as const, 'fail' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const outbox = new Outbox<number>(1000);
        const underWay: Waiting<number>[] = [];
        const sent: [string, number][] = [];
        const finish = (one: Waiting<number>) => {
          sent.push([one.lane, one.item]);
          outbox.done(one);
        };
        let count = 0;
        for (const one of steps) {
          if (one.do === 'add') outbox.add(one.lane, count++);
          else if (one.do === 'take') underWay.push(...[outbox.take()].filter((next) => next !== undefined));
          else if (one.do === 'done') underWay.splice(0, 1).forEach(finish);
          else for (const failed of underWay.splice(0, 1)) outbox.putBack(failed);
        }
        underWay.forEach(finish);
        for (let next = outbox.take(); next; next = outbox.take()) finish(next);
        expect(sent).toHaveLength(count);
        for (const lane of ['a', 'b', 'c']) {
          const numbers = sent.filter(([its]) => its === lane).map(([, number]) => number);
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        }
      }),
    );
  });
});
