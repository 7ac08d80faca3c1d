import { type App, inline, unexpanded, word } from './escape.ts';

/** API commands that several plans share. */

/** Leaves what the leg does, and does this. */
export function transfer(uuid: string, apps: readonly App[]): string {
  return `uuid_transfer ${uuid} ${word(inline(apps))} inline`;
}

/** Does this beside what the leg does, a connection included. */
export function broadcast(uuid: string, { name, arg = '' }: App, legs: 'aleg' | 'both' = 'aleg'): string {
  return `uuid_broadcast ${uuid} ${word(`${name}::${unexpanded(arg)}`)} ${legs}`;
}

/** Ends what was begun beside. */
export function stop(uuid: string): string {
  return `uuid_break ${uuid} all`;
}
