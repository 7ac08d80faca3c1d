/**
 * Kamailio's dispatcher as its source has it (5.6, modules/dispatcher/dispatch.c): what each
 * algorithm picks of the nodes of one set, by index. Checked against the module itself in
 * dispatcher.test.ts.
 */
export interface Dispatcher {
  select(callId: string): number;
  /** The call is over: ds_load_update at BYE. */
  over(node: number): void;
}

export type Algorithm = 'round robin' | 'call load' | 'hash';

export const ALGORITHM_NUMBERS: Readonly<Record<Algorithm, number>> = {
  hash: 0,
  'round robin': 4,
  'call load': 10,
};

export function dispatcher(algorithm: Algorithm, maxLoads: readonly number[]): Dispatcher {
  if (algorithm === 'round robin') return roundRobin(maxLoads.length);
  if (algorithm === 'call load') return callLoad(maxLoads);
  return { select: (callId) => hashOf(callId) % maxLoads.length, over() {} };
}

function roundRobin(nodes: number): Dispatcher {
  let last = 0;
  return {
    select() {
      const node = last;
      last = (last + 1) % nodes;
      return node;
    },
    over() {},
  };
}

/** ds_get_leastloaded: the first of those with the fewest calls of this Kamailio's, below their maxload. */
function callLoad(maxLoads: readonly number[]): Dispatcher {
  const loads = maxLoads.map(() => 0);
  return {
    select() {
      let picked = -1;
      for (const [node, load] of loads.entries()) {
        const max = maxLoads[node]!;
        if ((max === 0 || load < max) && (picked < 0 || load < loads[picked]!)) picked = node;
      }
      if (picked >= 0) loads[picked]! += 1;
      return picked;
    },
    over(node) {
      if (loads[node]! > 0) loads[node]! -= 1;
    },
  };
}

/** ds_get_hash of a Call-ID: four bytes at a time, then what is left. */
function hashOf(text: string): number {
  const bytes = Buffer.from(text);
  let hash = 0;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) hash = add(hash, bytes.readInt32BE(at));
  let rest = 0;
  for (; at < bytes.length; at += 1) rest = (rest << 8) + bytes[at]!;
  hash = add(hash, rest);
  return (hash + (hash >>> 11) + (hash >>> 13) + (hash >>> 23)) >>> 0 || 1;
}

function add(hash: number, value: number): number {
  return (hash + ((value ^ (value >>> 3)) >>> 0)) >>> 0;
}
