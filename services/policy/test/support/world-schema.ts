import { z } from 'zod';
import { functionNames } from '../../src/domain/model.ts';

/** The language of golden scenarios. Unknown words are refused, so that a typing error never passes as a test. */
const fn = z.enum(functionNames);
const number = z.union([z.string(), z.number()]).transform(String);
const credentials = { username: z.string().optional(), password: z.string().optional() };

const rule = z.strictObject({
  match: z.string().default(''),
  strip: z.int().default(0),
  prepend: z.string().default(''),
});

const direction = z
  .strictObject({ called: z.array(rule).default([]), calling: z.array(rule).default([]) })
  .prefault({});

const trunk = z.strictObject({
  ...credentials,
  from: z.array(z.string()).default([]),
  auth: z.enum(['address', 'digest', 'tls']).default('address'),
  kind: z.enum(['hybrid', 'carrier']).default('hybrid'),
  realm: z.string().default(''),
  tls_subject: z.string().default(''),
  max_channels: z.int().default(0),
  max_cps: z.int().default(0),
  enabled: z.boolean().default(true),
  function: fn.optional(),
  contact: z.string().default(''),
  priority: z.int().default(0),
  weight: z.int().default(1),
  serves: z.array(z.string()).default([]),
  caller_number: z.string().default(''),
  caller_policy: z.enum(['own', 'any']).default('own'),
  identity_header: z.enum(['p-asserted-identity', 'remote-party-id', 'none']).default('p-asserted-identity'),
  failover_causes: z.array(z.string()).default([]),
  rules: z.strictObject({ inbound: direction, outbound: direction }).prefault({}),
});

const tenant = z.strictObject({
  domain: z.string(),
  enabled: z.boolean().default(true),
  max_calls: z.int().default(0),
  max_cps: z.int().default(0),
  allowed_destinations: z.array(z.string()).default([]),
  blocked_destinations: z.array(z.string()).default([]),
  premium_allowed: z.boolean().default(false),
  canary_percent: z.int().default(0),
  web_origins: z.array(z.string()).default([]),
  links: z.record(z.string(), z.string()).default({}),
  trunks: z.record(z.string(), trunk).default({}),
  numbers: z.record(z.string(), z.strictObject({ function: fn.optional(), to: z.string() })).default({}),
  agents: z
    .record(
      z.string(),
      z.strictObject({
        extension: number.default(''),
        password: z.string().default('a-password'),
        name: z.string().default(''),
        voicemail: z.boolean().default(true),
        enabled: z.boolean().default(true),
      }),
    )
    .default({}),
});

const node = z.strictObject({
  role: z.enum(['router', 'media', 'tandem', 'kama-wss', 'kama-pstn']).default('media'),
  group: z.string().default(''),
  zone: z.string().default(''),
  at: z.string(),
  also_at: z.array(z.string()).default([]),
  max: z.int().default(0),
  accepts: z.int().default(0),
  weight: z.int().default(1),
  sessions: z.int().default(0),
  pending: z.int().default(0),
  status: z.enum(['up', 'suspect', 'draining', 'drained', 'down']).default('up'),
  agent_reports: z.enum(['up', 'down', 'stuck', 'paused']).default('up'),
});

export const world = z.strictObject({
  tenants: z.record(z.string(), tenant),
  premium: z.array(z.string()).default([]),
  platform_links: z.record(z.string(), z.string()).default({}),
  groups: z.record(z.string(), z.strictObject({ strategy: z.string().default('') })).default({}),
  nodes: z.record(z.string(), node),
  placements: z
    .record(
      z.string(),
      z.strictObject({ group: z.string().default(''), weight: z.int().default(0), max: z.int().default(0) }),
    )
    .default({}),
});
export type World = z.infer<typeof world>;

export const binding = z.strictObject({
  session: z.string().default('5e55100000000000'),
  tenant: z.string().default('acme'),
  call_id: z.string(),
  affinity: z.string().default(''),
  node: z.string(),
  /** Left out: the life the node lives now. */
  epoch: z.string().optional(),
  role: z.enum(['router', 'media', 'tandem']).default('media'),
  group: z.string(),
  function: fn.default('general'),
});
export type WorldBinding = z.infer<typeof binding>;

export const callSpec = z.strictObject({
  edge: z.string().default('kama-pstn-1'),
  source: z.string().default('192.0.2.10:5060'),
  transport: z.string().default('udp'),
  from: z.string().default('sip:anonymous@anonymous.invalid'),
  /** Number or name that is called; `request_uri` gives the whole URI instead. */
  to: number.default('+4930999'),
  request_uri: z.string().optional(),
  call_id: z.string().default('a-call'),
  tls_subject: z.string().default(''),
  origin: z.string().optional(),
  login: z
    .strictObject({
      user: z.string(),
      realm: z.string(),
      password: z.string(),
      algorithm: z.enum(['MD5', 'SHA-256']).default('MD5'),
    })
    .optional(),
  ask: z
    .strictObject({
      function: fn.optional(),
      affinity: z.string().optional(),
      role: z.enum(['router', 'media', 'tandem']).optional(),
      tenant: z.string().optional(),
      trunk: z.string().optional(),
      agent: z.string().optional(),
      tried: z.array(z.string()).default([]),
    })
    .optional(),
});
export type CallSpec = z.infer<typeof callSpec>;
