import type { Action } from './dialplan.ts';
import { separate } from './separate.ts';

/** The actions of an inline extension: "answer,park", or "m:^:set:a=b,c^park" with a mark of its own. */
export function inlineActions(extension: string): Action[] {
  const own = /^m:(.):(.*)$/s.exec(extension);
  const parts = separate(own?.[2] ?? extension, own?.[1] ?? ',');
  return parts.map((part) => {
    const colon = part.indexOf(':');
    if (colon < 0) return { application: part.trim(), data: '' };
    return { application: part.slice(0, colon).trim(), data: part.slice(colon + 1) };
  });
}
