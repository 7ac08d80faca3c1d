import { commonConfig } from '@callmesh/runtime';
import { z } from 'zod';

export const configSchema = z.strictObject({
  ...commonConfig,
  detection: z
    .strictObject({
      /** Load reports missing for this long speak against a node, milliseconds. */
      silence_ms: z.int().min(1_000).default(3_000),
      /** After etcd was away, how long a node has to register again before its absence counts, milliseconds. */
      grace_ms: z.int().min(1_000).default(8_000),
      /** How long a dead node stays in the table, milliseconds. */
      keep_down_ms: z.int().min(1_000).default(600_000),
    })
    .prefault({}),
});
