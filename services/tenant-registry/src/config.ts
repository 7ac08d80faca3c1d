import { commonConfig } from '@callmesh/runtime';
import { z } from 'zod';

/** Keys of tenant-registry's config beside those every service has. */
export const configSchema = z.strictObject({
  ...commonConfig,
  /** PostgreSQL; without it a database is embedded, for one replica only. */
  database: z
    .strictObject({
      url: z
        .string()
        .regex(/^postgres(ql)?:\/\//, 'expected a URL such as postgres://user:password@host:5432/callmesh'),
      /** Most connections of this instance, beside the one that listens. */
      pool_size: z.int().min(1).max(100).default(10),
    })
    .optional(),
  /** The embedded database: kept in state_dir, or in memory only. */
  embedded: z.strictObject({ storage: z.enum(['disk', 'memory']).default('disk') }).prefault({}),
  /** Changes kept for watchers that come back after a while; one that is further behind gets a snapshot. */
  changes_kept: z.int().min(100).max(1_000_000).default(10_000),
  /** YAML files applied at start, where what they describe is not there yet. */
  seed: z.array(z.string().min(1)).default([]),
});
