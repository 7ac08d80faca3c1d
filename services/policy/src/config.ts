import { commonConfig, listenAddress } from '@callmesh/runtime';
import { z } from 'zod';
import { premiumPrefixes } from './domain/numbers/premium.ts';

/** A gRPC target: "etcd:///<service>" or "host:port". */
const target = z.string().min(1);

export const configSchema = z.strictObject({
  ...commonConfig,
  /** The HTTP API that Kamailio asks; /health and /metrics are on `http`. */
  api: z
    .strictObject({
      listen: listenAddress.default('127.0.0.1:0'),
      /** Address Kamailio reaches it at, where that is not the one it listens on. */
      advertise: listenAddress.optional(),
    })
    .prefault({}),
  services: z
    .strictObject({
      tenant_registry: target.default('etcd:///tenant-registry'),
      state: target.default('etcd:///state'),
      session_cache: target.default('etcd:///session-cache'),
    })
    .prefault({}),
  destinations: z
    .strictObject({
      /** E.164 prefixes that only tenants with premium_allowed may call; replaces the list in domain/numbers/premium.ts. */
      premium_prefixes: z
        .array(z.string().regex(/^\+[1-9]\d{0,14}$/, 'expected an E.164 prefix such as "+49900"'))
        .default([...premiumPrefixes]),
    })
    .prefault({}),
  carriers: z
    .strictObject({
      /** Seconds a carrier may take until it says that it rings; then the next one is tried. */
      progress_timeout_s: z.int().min(1).max(60).default(12),
    })
    .prefault({}),
  registrations: z
    .strictObject({
      /** Longest registration of an agent, seconds: who is gone without a word is known to be after so long. */
      expires_s: z.int().min(60).max(3600).default(300),
    })
    .prefault({}),
  bindings: z
    .strictObject({
      /** Most milliseconds an INVITE waits for session-cache; Kamailio waits 400 for policy. */
      deadline_ms: z.int().min(10).max(300).default(150),
      /** Most bindings kept in memory. */
      memory: z.int().min(1_000).max(5_000_000).default(250_000),
    })
    .prefault({}),
});
