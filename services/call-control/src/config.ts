import { commonConfig } from '@callmesh/runtime';
import { databaseConfig } from '@callmesh/runtime/sql';
import { z } from 'zod';

/** A gRPC target: "etcd:///<service>" or "host:port". */
const target = z.string().min(1);
const tenant = z.string().regex(/^([a-z0-9-]{1,63}|\*)$/, 'expected a tenant id, or "*" for every tenant');

/** call-control's configuration. */
export const configSchema = z.strictObject({
  ...commonConfig,
  /** Services of the platform that may command calls, each for its tenants; the mesh's own token may for all. */
  clients: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9-]{1,63}$/, 'expected 1-63 of a-z, 0-9 and "-"'),
        token: z.string().min(16, 'expected at least 16 characters'),
        tenants: z.array(tenant).min(1),
      }),
    )
    .default([])
    .refine((clients) => !clients.some(({ name }) => name === 'mesh'), 'expected another name than "mesh"'),
  services: z
    .strictObject({
      policy: target.default('etcd:///policy'),
      session_cache: target.default('etcd:///session-cache'),
    })
    .prefault({}),
  /** The application that answers calls by their destination; false leaves every call parked for others. */
  application: z
    .strictObject({
      enabled: z.boolean().default(true),
      /** A call that was created longer ago than this is left alone, seconds. */
      late_s: z.number().positive().default(30),
    })
    .prefault({}),
  /** Where records are kept; several replicas need `database`. */
  ...databaseConfig,
  /** Call detail records and refusals: made by this instance, and kept for so many days. */
  records: z
    .strictObject({
      enabled: z.boolean().default(true),
      keep_days: z.int().min(1).max(3_650).default(90),
    })
    .prefault({}),
});
