import { commonConfig, listenAddress, roleNames } from '@callmesh/runtime';
import { z } from 'zod';

/** A gRPC target: "etcd:///<service>" or "host:port". */
const target = z.string().min(1);
const slug = z.string().regex(/^[a-z0-9-]{1,63}$/, 'expected 1-63 of a-z, 0-9 and "-"');
const sipUri = z
  .string()
  .regex(
    /^sips?:(\[[0-9a-fA-F:.]+\]|\d{1,3}(\.\d{1,3}){3}):\d{1,5}(;transport=(udp|tcp|tls))?$/,
    'expected a SIP URI with an address, never a name: "sip:10.0.0.7:5060;transport=udp"',
  );
const sipSource = z
  .string()
  .regex(
    /^(\[[0-9a-fA-F:.]+\]|\d{1,3}(\.\d{1,3}){3}):\d{1,5}\/(udp|tcp|tls)$/,
    'expected "<ip>:<port>/<transport>"',
  );

const loopback = listenAddress.refine(
  (value) => /^(127\.[\d.]+|localhost|\[::1\]):\d+$/.test(value),
  'expected an address of this host alone, e.g. 127.0.0.1:8022',
);

const freeswitch = z.strictObject({
  kind: z.literal('freeswitch'),
  /** Where mod_event_socket listens; loopback, since the agent stands beside it. */
  esl: z.strictObject({
    host: z.string().min(1).default('127.0.0.1'),
    port: z.int().min(1).max(65_535).default(8021),
    password: z.string().min(1),
  }),
  /**
   * Where FreeSWITCH asks what is not in its files (mod_xml_curl), with the event socket's password; loopback,
   * 127.0.0.1:8022 as freeswitch/common has it. Absent: nobody answers, and it refuses what it must ask.
   */
  xml: z.strictObject({ listen: loopback }).optional(),
  /** Keeps answered legs outside the node and goes on with those of dead ones. */
  takeover: z.boolean().default(true),
  /**
   * What becomes of the node when its agent is asked to stop: `drain` waits for the end of its calls, at most
   * shutdown.drain_s; `leave` gives it up at once, calls or not.
   */
  on_stop: z.enum(['drain', 'leave']).default('drain'),
  /** fs-tandem: what carriers are given to prove who we are, by trunk; kept in no registry. */
  carriers: z.record(slug, z.strictObject({ password: z.string().min(1) })).default({}),
});

const kamailio = z.strictObject({
  kind: z.literal('kamailio'),
  /** jsonrpcs fifo_name. */
  fifo: z.string().min(1),
  /** jsonrpcs fifo_reply_dir: a folder only the two may enter. */
  reply_dir: z.string().min(1),
  /** dispatcher list_file; the agent owns its content. */
  dispatcher_list: z.string().min(1),
  /** permissions address_file; the agent owns its content. */
  address_list: z.string().min(1),
});

export const configSchema = z.strictObject({
  ...commonConfig,
  /** What is registered of the server this agent stands beside. */
  node: z.strictObject({
    id: slug,
    role: z.enum(roleNames),
    /** Node group; empty for Kamailio. */
    group: slug.or(z.literal('')).default(''),
    sip_uri: sipUri,
    sip_sources: z.array(sipSource).default([]),
    zone: z.string().default(''),
    weight: z.int().min(1).max(1000).default(1),
    /** Most channels; 0 takes what the server says. */
    max_sessions: z.int().min(0).default(0),
  }),
  backend: z.discriminatedUnion('kind', [freeswitch, kamailio]),
  services: z
    .strictObject({
      state: target.default('etcd:///state'),
      tenant_registry: target.default('etcd:///tenant-registry'),
      session_cache: target.default('etcd:///session-cache'),
    })
    .prefault({}),
});

export type AgentConfig = z.infer<typeof configSchema>;
export type FreeSwitchConfig = z.infer<typeof freeswitch>;
export type KamailioConfig = z.infer<typeof kamailio>;
