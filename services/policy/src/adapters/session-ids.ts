import { randomFillSync } from 'node:crypto';

const BYTES = 8;
const IDS_AT_ONCE = 512;

/** Makes session ids of 16 hex digits nobody can foresee; entropy is fetched for many at once, which is what costs. */
export function sessionIds(): () => string {
  const pool = Buffer.alloc(BYTES * IDS_AT_ONCE);
  let used = pool.length;
  return () => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += BYTES;
    return pool.toString('hex', used - BYTES, used);
  };
}
