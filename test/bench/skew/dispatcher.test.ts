import { describe, expect, it } from 'vitest';
import { seeded } from '../../../services/policy/test/support/rows.ts';
import { ALGORITHM_NUMBERS, type Algorithm, dispatcher } from './dispatcher.ts';
import { Picks } from './picks.ts';

const CALLS = 300;
const MAX_LOADS = [3, 5, 0, 4, 0, 9, 2];

describe("the model of Kamailio's dispatcher", () => {
  it.each(Object.keys(ALGORITHM_NUMBERS) as Algorithm[])(
    'picks as the module itself does: %s',
    async (algorithm) => {
      const module = await Picks.start(algorithm, MAX_LOADS);
      const model = dispatcher(algorithm, MAX_LOADS);
      const random = seeded(7);
      const live: { readonly callId: string; readonly node: number }[] = [];
      try {
        for (let n = 0; n < CALLS; n += 1) {
          const callId = `${n}-${random()}@pbx.example`;
          const node = model.select(callId);
          expect(await module.select(callId), `call ${n}`).toBe(node);
          live.push({ callId, node });
          if (random() < 0.45) {
            const [ended] = live.splice(Math.floor(random() * live.length), 1);
            model.over(ended!.node);
            await module.over(ended!.callId);
          }
        }
      } finally {
        await module.stop();
      }
    },
  );
});
