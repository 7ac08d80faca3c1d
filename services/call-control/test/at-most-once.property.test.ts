import { CallmeshError, type ErrorCode, fail } from '@callmesh/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atMostOnce } from '../src/handlers/at-most-once.ts';
import { MemoryLog } from './memory-log.ts';

const FAR = Date.now() + 3_600_000;
const fault = fc.constantFrom('none' as const, 'none' as const, 'before' as const, 'after' as const);
/** What a node says; after "unavailable" alone nothing was done. */
const outcome = fc.constantFrom<ErrorCode | 'ok'>(
  'ok',
  'precondition_failed',
  'unavailable',
  'outcome_unknown',
);
const request = fc.record({
  key: fc.constantFrom('k1', 'k2'),
  content: fc.constantFrom('a', 'b'),
  rpc: fc.constantFrom('answer', 'stopPlay'),
  outcome,
});

describe('however often a key is used, by whichever replica, whatever the store does', () => {
  it('one request is carried out, once, and no other gets its result', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(request, { minLength: 1, maxLength: 8 }),
        fc.infiniteStream(fault),
        async (scheduler, requests, faults) => {
          const log = new MemoryLog();
          log.fault = () => faults.next().value!;
          const done: { key: string; what: string }[] = [];
          const asked = requests.map(async ({ key, content, rpc, outcome: code }) => {
            const what = `${rpc} ${content}`;
            const keyed = { tenantId: 'acme', idempotencyKey: key, rpc, request: { content }, end: FAR };
            const result = await atMostOnce(log, keyed, async () => {
              await scheduler.schedule(Promise.resolve());
              if (code === 'unavailable') throw fail(code, 'nothing was done');
              done.push({ key, what });
              await scheduler.schedule(Promise.resolve());
              if (code !== 'ok') throw fail(code, what);
              return { what };
            }).catch((error: CallmeshError) => error);
            if (!(result instanceof CallmeshError)) expect(result.what).toBe(what);
          });
          await scheduler.waitFor(Promise.all(asked));
          for (const key of ['k1', 'k2'])
            expect(done.filter((one) => one.key === key).length).toBeLessThan(2);
        },
      ),
      { numRuns: 500 },
    );
  });
});
