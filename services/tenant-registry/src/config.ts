import { commonConfig } from '@callmesh/runtime';
import { databaseConfig } from '@callmesh/runtime/sql';
import { z } from 'zod';

/** Keys of tenant-registry's config beside those every service has. */
export const configSchema = z.strictObject({
  ...commonConfig,
  ...databaseConfig,
  /** Changes kept for watchers that come back after a while; one that is further behind gets a snapshot. */
  changes_kept: z.int().min(100).max(1_000_000).default(10_000),
  /** YAML files applied at start, where what they describe is not there yet. */
  seed: z.array(z.string().min(1)).default([]),
});
