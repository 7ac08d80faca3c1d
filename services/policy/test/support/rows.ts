import { hash32, mix32 } from '../../src/domain/hash.ts';
import type { Random } from '../../src/domain/model.ts';
import type { NodeRow } from '../../src/domain/node-table.ts';

/** A media node of group "g" that is up and, unless told otherwise, empty. */
export function nodeRow(
  id: string,
  { sessions = 0, max = 100, weight = 1 }: { sessions?: number; max?: number; weight?: number } = {},
): NodeRow {
  return {
    id,
    role: 'media',
    group: 'g',
    sipUri: 'sip:10.0.0.1:5060',
    address: '10.0.0.1:5060',
    sources: ['10.0.0.1:5060'],
    zone: '',
    weight,
    maxSessions: max,
    epoch: 'e1',
    status: 'up',
    load: { sessions, max: 0, pending: 0, backend: 'up' },
    seed: hash32(id),
  };
}

/** The same numbers for the same seed. */
export function seeded(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return mix32(state) / 2 ** 32;
  };
}
