import { z } from 'zod';

/** A form of mod_xml_curl: hundreds of fields that come and go with modules and calls; those policy reads are named. */
const form = z.record(z.string().max(256), z.string()).and(
  z.object({
    hostname: z
      .string()
      .regex(/^[a-z0-9-]{1,63}$/, 'expected a node id')
      .describe('The node: its switchname, which is its id'),
  }),
);

const header = (name: string) => z.string().optional().describe(`Header X-Callmesh-${name}`);

export const dialplanForm = form
  .and(
    z.object({
      'Caller-Context': z.string().max(64).describe('mesh: from inside; carriers: from outside'),
      variable_sip_call_id: z.string().optional(),
      variable_sip_req_user: z.string().optional().describe('User part of the Request-URI'),
      variable_sip_req_host: z.string().optional(),
      variable_sip_from_user: z.string().optional(),
      variable_sip_from_host: z.string().optional(),
      'Caller-Caller-ID-Number': z.string().optional().describe('P-Asserted-Identity, else From'),
      variable_sip_Privacy: z.string().optional().describe('RFC 3323'),
      variable_sip_network_ip: z.string().optional(),
      variable_sip_network_port: z.string().optional(),
      variable_sip_auth_username: z.string().optional().describe('Digest user FreeSWITCH has checked'),
      variable_sip_auth_realm: z.string().optional(),
      'variable_sip_h_X-Callmesh-Tenant': header('Tenant'),
      'variable_sip_h_X-Callmesh-Session': header('Session'),
      'variable_sip_h_X-Callmesh-Agent': header('Agent'),
      'variable_sip_h_X-Callmesh-Trunk': header('Trunk'),
      'variable_sip_h_X-Callmesh-Node': header('Node'),
    }),
  )
  .describe("A call that waits in a node's dialplan, as mod_xml_curl posts it");

export const directoryForm = form
  .and(
    z.object({
      action: z.string().optional().describe('sip_auth: who logs in; else: whose mailbox'),
      key_value: z.string().max(253).optional().describe('Domain, or realm'),
      user: z.string().max(64).optional(),
      domain: z.string().max(253).optional(),
      sip_auth_username: z.string().max(64).optional(),
      sip_auth_realm: z.string().max(253).optional(),
    }),
  )
  .describe('A user FreeSWITCH wants to know, as mod_xml_curl posts it');

export const xmlAnswer = z
  .string()
  .describe('A document of type freeswitch/xml; `<result status="not found"/>` for what is not known');
