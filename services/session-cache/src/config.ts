import { commonConfig } from '@callmesh/runtime';
import { z } from 'zod';

/** session-cache's configuration. */
export const configSchema = z.strictObject({
  ...commonConfig,
  limits: z
    .strictObject({
      /** Most sessions in memory; a bind beyond is refused with `unavailable`. */
      sessions: z.int().min(1).default(500_000),
      /** Most addresses of record in memory. */
      aors: z.int().min(1).default(500_000),
    })
    .prefault({}),
  /** A binding that no node confirms in this time is dropped, seconds. */
  unconfirmed_s: z.number().positive().default(60),
});
