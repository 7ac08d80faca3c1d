import { z } from 'zod';

/** Text that came out of a SIP message: bounded, and without control bytes, NUL and what was not UTF-8. */
const text = (most: number) =>
  z
    .string()
    .max(most)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
    .regex(/^[^\u0000-\u001f\u007f\ufffd]*$/, 'expected no control characters and valid UTF-8');
const uri = text(512).min(1);
const id = z.string().regex(/^[a-z0-9-]{1,63}$/, 'expected 1-63 of a-z, 0-9 and "-"');
const address = z.string().regex(/^[0-9a-fA-F:.[\]]{2,48}$/, 'expected an IP address');

export const sessionRequest = z
  .strictObject({
    edge: id.describe('Id of the Kamailio edge that asks'),
    call_id: text(256).min(1).describe('SIP Call-ID'),
    method: z
      .string()
      .regex(/^[A-Z]{2,16}$/)
      .default('INVITE')
      .describe('SIP method, for the digest'),
    from_uri: uri.describe('URI of the From header'),
    to_uri: uri.describe('URI of the To header'),
    request_uri: uri.describe('Request-URI'),
    source_address: address.describe('IP address the request came from'),
    source_port: z.int().min(0).max(65535),
    transport: z.enum(['udp', 'tcp', 'tls', 'ws', 'wss', 'sctp']),
    authorization: text(2048)
      .default('')
      .describe('Value of Authorization or Proxy-Authorization; empty when none'),
    user_agent: text(256).default(''),
    tls_subject: text(256)
      .default('')
      .describe('Subject alternative name of the verified client certificate'),
    origin: text(256)
      .default('')
      .describe('Origin of the page the WebSocket was opened from; empty when there is none'),
    media_behind_nat: z
      .boolean()
      .default(false)
      .describe("True when the SDP's address is not where the request came from"),
  })
  .describe('A new INVITE or REGISTER as the edge saw it');
export type SessionRequest = z.infer<typeof sessionRequest>;

const route = z
  .object({
    uri: z.string().describe('Request-URI to send'),
    dst_uri: z.string().describe('Where to send it'),
    headers: z.object({ extra: z.string().describe('Headers to add, each ended by CR LF') }),
  })
  .describe(
    "A target in the shape of Kamailio's rtjson module; how long each is tried is a knob of the edge",
  );

export const sessionAnswer = z.object({
  version: z.literal('1.0'),
  routing: z.literal('serial'),
  routes: z.array(route).min(1).describe('First choice, then alternates in order'),
  session_id: z.string().describe('16 hex digits'),
  tenant: z.string(),
  trunk: z.string().describe('Trunk it came by; empty when none'),
  agent: z.string().optional().describe('Agent that calls, "<username>@<domain>"'),
  function: z.string(),
  group: z.string(),
  node: z.string().describe('First choice'),
  reason: z.string().describe('Why that one, for a person'),
  rebound: z.boolean().describe('True when a live binding decided'),
  durable: z.boolean().describe('False when the binding is only in memory yet'),
  rtpengine: z.enum(['auto', 'always', 'never']),
  ha1: z.string().optional().describe('Only after a digest: H(user:realm:password) to check the nonce with'),
  realm: z.string().optional(),
});
export type SessionAnswer = z.infer<typeof sessionAnswer>;

export const registerAnswer = z.object({
  version: z.literal('1.0'),
  routing: z.literal('serial'),
  routes: z.array(route).min(1).describe('The router that keeps it, then alternates in order'),
  tenant: z.string(),
  agent: z.string().describe('Address of record, "<username>@<domain>"'),
  group: z.string(),
  node: z.string().describe('First choice'),
  reason: z.string().describe('Why that one, for a person'),
  expires: z.int().describe('Longest registration, seconds'),
  ha1: z.string().describe('H(user:realm:password) to check the nonce with'),
  realm: z.string(),
});
export type RegisterAnswer = z.infer<typeof registerAnswer>;

export const auditRequest = z
  .strictObject({
    edge: id,
    what: z.enum(['origin', 'replay', 'register', 'call']).describe('What was tried'),
    source_address: address,
    source_port: z.int().min(0).max(65535),
    domain: text(256).default('').describe('Domain it was tried for; empty when unknown'),
    detail: text(256).default('').describe('For a person'),
  })
  .describe('What an edge refused by itself');
export type AuditRequest = z.infer<typeof auditRequest>;

export const dialogRequest = z
  .strictObject({
    edge: id,
    call_id: text(256).min(1),
    tenant: id.describe('The Record-Route parameter tn'),
    method: z.string().regex(/^[A-Z]{2,16}$/),
    node: z
      .string()
      .regex(/^(\[[0-9a-fA-F:.]+\]|[0-9.]+):\d{1,5}$/, 'expected ip:port')
      .describe('Where the request was going'),
    from_tag: text(256).default(''),
    to_tag: text(256).default(''),
    source_address: address,
    source_port: z.int().min(0).max(65535),
  })
  .describe('An in-dialog request whose node is not up');
export type DialogRequest = z.infer<typeof dialogRequest>;

export const dialogAnswer = z.object({
  node: z.string(),
  uri: z.string().describe('Where the session lives now'),
  moved: z.boolean().describe('False when that is where the request was going'),
});
export type DialogAnswer = z.infer<typeof dialogAnswer>;

export const refusal = z
  .object({
    code: z.string().describe('Of the error catalogue'),
    message: z.string(),
    field: z.string().optional(),
    sip_status: z.int().describe('What to answer the caller'),
    sip_reason: z.string(),
    retry_after: z.number().optional().describe('Seconds'),
    realm: z.string().optional().describe('With code challenge: the realm to ask credentials for'),
  })
  .describe('A refusal, with the SIP answer it stands for');
