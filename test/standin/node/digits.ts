import type { CallLeg } from './call.ts';
import { separate } from './separate.ts';
import { Signal } from './signal.ts';
import { play } from './sound.ts';

/**
 * play_and_get_digits: "<min> <max> <tries> <timeout> <terminators> <file> <invalid
 * file> <variable> [<regexp> [<digit timeout>]]". The digits are in the variable
 * when it is over, absent when they were too few.
 */
export async function playAndGetDigits(leg: CallLeg, data: string, over: Signal): Promise<void> {
  const [
    min = '0',
    max = '1',
    tries = '1',
    timeout = '0',
    ends = '',
    file = '',
    ,
    name = '',
    regexp = '.*',
    between,
  ] = separate(data, ' ');
  const { channel } = leg;
  for (let left = Number(tries) || 1; left > 0 && !over.happened; left--) {
    const heard = new Signal();
    const off = over.on(() => heard.fire());
    leg.onDigit = () => heard.fire();
    if (leg.digits === '' && file && file !== 'silence') await play(leg, file, heard);
    off();
    const digits = await gather(leg, over, {
      max: Number(max),
      ends: ends === 'none' ? '' : ends,
      firstMs: Number(timeout),
      nextMs: Number(between ?? timeout),
    });
    channel.set('read_result', digits.length >= Number(min) ? 'success' : 'timeout');
    if (digits.length < Number(min) || !new RegExp(regexp).test(digits)) continue;
    channel.set(name, digits);
    return;
  }
  channel.variables.delete(name);
  channel.set('read_result', 'failure');
}

async function gather(
  leg: CallLeg,
  over: Signal,
  limit: { max: number; ends: string; firstMs: number; nextMs: number },
): Promise<string> {
  let got = '';
  leg.channel.variables.delete('read_terminator_used');
  while (got.length < limit.max && !over.happened) {
    if (leg.digits === '') {
      const pressed = new Signal();
      const off = over.on(() => pressed.fire());
      leg.onDigit = () => pressed.fire();
      await pressed.within(got === '' ? limit.firstMs : limit.nextMs);
      off();
    }
    const digit = leg.digits.slice(0, 1);
    leg.digits = leg.digits.slice(1);
    if (digit === '') break;
    if (limit.ends.includes(digit)) {
      leg.channel.set('read_terminator_used', digit);
      break;
    }
    got += digit;
  }
  leg.onDigit = () => {};
  return got;
}
