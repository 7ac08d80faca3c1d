import { expect, it } from 'vitest';
import { Flows } from './flows.ts';

it('tells the mean of five seconds, and forgets what is older', () => {
  const flows = new Flows();
  for (let n = 0; n < 10; n += 1) flows.count('kama-pstn-1', 'media-a');
  flows.count('kama-pstn-1', '');
  expect(flows.tick()).toEqual([
    { from: 'kama-pstn-1', group: 'media-a', perSecond: 2 },
    { from: 'kama-pstn-1', group: '', perSecond: 0.2 },
  ]);
  for (let n = 0; n < 4; n += 1) flows.tick();
  expect(flows.tick()).toEqual([]);
});
