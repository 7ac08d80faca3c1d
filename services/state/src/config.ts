import { commonConfig, listenAddress } from '@callmesh/runtime';
import { z } from 'zod';

/** A gRPC target: "etcd:///<service>" or "host:port". */
const target = z.string().min(1);

/** The console, read-only pages for operators; it is served only where this is given. */
const consoleSchema = z.strictObject({
  listen: listenAddress.default('127.0.0.1:0'),
  /** Certificate of the pages; without it they are for loopback, or for a proxy that ends TLS. */
  tls: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
  /** Who may look, each by a token of their own. */
  operators: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9-]{1,63}$/, 'expected 1-63 of a-z, 0-9 and "-"'),
        token: z.string().min(16, 'expected at least 16 characters'),
        /** True shows telephone numbers and users whole; else all but their ends is hidden. */
        numbers: z.boolean().default(false),
      }),
    )
    .min(1, 'expected at least one operator'),
  /** How long who signed in stays so, hours. */
  session_hours: z.number().positive().max(168).default(12),
});
export type ConsoleConfig = z.infer<typeof consoleSchema>;

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
  /** Gives calls of dead nodes to others. */
  takeover: z.boolean().default(true),
  console: consoleSchema.optional(),
  /** Who knows of sessions: takeovers move them, and the console asks about them. */
  services: z
    .strictObject({
      session_cache: target.default('etcd:///session-cache'),
      call_control: target.default('etcd:///call-control'),
    })
    .prefault({}),
});
