import { fail } from '@callmesh/runtime';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSnapshot } from '../../test/support/world.ts';
import { world } from '../../test/support/world-schema.ts';
import { decide } from '../domain/decide.ts';
import type { RouteRequest } from '../domain/request.ts';
import { buildHttp } from './http.ts';

const TOKEN = 'a-token-of-enough-length';
const BODY = {
  edge: 'kama-pstn-1',
  call_id: 'c1@pbx',
  method: 'INVITE',
  from_uri: 'sip:100@192.0.2.10',
  to_uri: 'sip:+4930999@10.0.9.1',
  request_uri: 'sip:+4930999@10.0.9.1:5060',
  source_address: '192.0.2.10',
  source_port: 5060,
  transport: 'udp',
  authorization: '',
  user_agent: 'PBX/1.0',
  tls_subject: '',
  origin: '',
  media_behind_nat: false,
};

const snapshot = buildSnapshot(
  world.parse({
    tenants: {
      acme: { domain: 'acme.example', links: { general: 'g' }, trunks: { pbx: { from: ['192.0.2.10'] } } },
    },
    groups: { g: {} },
    nodes: {
      'fs-1': { group: 'g', at: '10.0.0.1:5060', max: 100, sessions: 1 },
      'fs-2': { group: 'g', at: '10.0.0.2:5080', max: 100, sessions: 2 },
    },
  }),
);

let server: FastifyInstance;
let seen: RouteRequest | undefined;
let refuse: Error | undefined;
beforeAll(async () => {
  const router = {
    async route(request: RouteRequest) {
      seen = request;
      if (refuse) throw refuse;
      return {
        decision: decide(request, snapshot, 0, () => 0),
        sessionId: '0123456789abcdef',
        durable: true,
      };
    },
  };
  const dialog = async () => ({ node: 'fs-2', uri: 'sip:10.0.0.2:5080', moved: true });
  const agents = { register: () => Promise.reject(), refused() {}, told() {} } as never;
  const freeswitch = {
    dialplan: async () => undefined,
    directory: () => undefined,
    metrics: { decided() {}, routed() {}, answered() {} },
  };
  server = await buildHttp(
    { listen: '', token: TOKEN, accepted: ['the-token-that-comes'], version: '0' },
    { router, dialog, agents, freeswitch, log: pino({ level: 'silent' }) },
  );
});
afterAll(() => server.close());

function post(
  body: unknown,
  headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` },
  url = '/v1/routes/session',
) {
  refuse = undefined;
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  return server.inject({
    method: 'POST',
    url,
    payload,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

describe('POST /v1/routes/session', () => {
  it('answers ordered targets in the shape rtjson takes', async () => {
    const answer = await post(BODY);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      version: '1.0',
      routing: 'serial',
      routes: [
        {
          uri: 'sip:+4930999@10.0.0.1:5060',
          dst_uri: 'sip:10.0.0.1:5060;transport=udp',
          headers: {
            extra:
              'X-Callmesh-Session: 0123456789abcdef\r\nX-Callmesh-Tenant: acme\r\nX-Callmesh-Function: general\r\nX-Callmesh-Node: fs-1\r\n',
          },
        },
        { uri: 'sip:+4930999@10.0.0.2:5080' },
      ],
      session_id: '0123456789abcdef',
      tenant: 'acme',
      trunk: 'pbx',
      node: 'fs-1',
      reason: 'lightest: 1 of 100, next 2',
      rtpengine: 'auto',
      durable: true,
    });
    expect(answer.json()).not.toHaveProperty('ha1');
    expect(seen).toMatchObject({ callId: 'c1@pbx', hint: { triedNodes: [] } });
  });

  it('refuses without the token, and with a wrong one', async () => {
    const refused = await post(BODY, {});
    expect(refused.json()).toMatchObject({ code: 'unauthenticated', sip_status: 403 });
    expect(refused.headers['www-authenticate']).toBe('Bearer');
    expect((await post(BODY, { authorization: 'Bearer wrong' })).statusCode).toBe(401);
    expect((await post(BODY, { authorization: 'Bearer the-token-that-comes' })).statusCode).toBe(200);
  });

  it.each([
    ['an unknown field', { ...BODY, function: 'predictive' }],
    ['a hint that only the mesh may give', { ...BODY, tried_nodes: ['fs-1'] }],
    ['a missing Call-ID', { ...BODY, call_id: undefined }],
    ['an overlong Call-ID', { ...BODY, call_id: 'x'.repeat(257) }],
    ['control bytes', { ...BODY, from_uri: 'sip:a\r\nX-Evil: 1@b' }],
    ['NUL', { ...BODY, user_agent: 'a\0b' }],
    ['what was not UTF-8', { ...BODY, user_agent: 'a\ufffdb' }],
    ['a port that is none', { ...BODY, source_port: 70000 }],
    ['an address that is none', { ...BODY, source_address: 'localhost' }],
    ['no JSON', '{'],
    ['an empty body', ''],
    ['a list', []],
  ])('refuses %s with 400', async (_what, body) => {
    const answer = await post(body);
    expect([answer.statusCode, answer.json().code, answer.json().sip_status]).toEqual([
      400,
      'invalid_argument',
      400,
    ]);
  });

  it('names the field that is wrong', async () => {
    expect((await post({ ...BODY, source_port: 'x' })).json()).toMatchObject({ field: 'source_port' });
  });

  it('refuses a body beyond its limit', async () => {
    const answer = await post({ ...BODY, authorization: 'x'.repeat(20_000) });
    expect([answer.statusCode, answer.json().code, answer.json().sip_status]).toEqual([
      413,
      'too_large',
      513,
    ]);
  });

  it('says a refusal in HTTP and SIP, with the seconds to wait', async () => {
    const answer = post(BODY);
    refuse = fail('limit_calls', 'tenant acme has 2 of 2 calls', { retryAfterS: 5 });
    const { statusCode, headers, json } = await answer;
    expect([statusCode, headers['retry-after']]).toEqual([429, '5']);
    expect(json()).toEqual({
      code: 'limit_calls',
      message: 'tenant acme has 2 of 2 calls',
      sip_status: 503,
      sip_reason: 'Concurrent Call Limit',
      retry_after: 5,
    });
  });

  it('names the realm to challenge with', async () => {
    const answer = post(BODY);
    refuse = fail('challenge', 'credentials are needed', { realm: 'acme.example' });
    expect((await answer).json()).toMatchObject({
      code: 'challenge',
      sip_status: 401,
      realm: 'acme.example',
    });
  });

  it('tells nothing of an internal fault', async () => {
    const answer = post(BODY);
    refuse = new Error('secret detail');
    expect((await answer).payload).not.toContain('secret');
  });
});

describe('the rest of the HTTP API', () => {
  const dialog = {
    edge: 'kama-pstn-1',
    call_id: 'c',
    tenant: 'acme',
    method: 'BYE',
    node: '10.0.0.1:5060',
    from_tag: 'a',
    to_tag: 'b',
    source_address: '192.0.2.10',
    source_port: 5060,
  };

  it('answers where a dialog moved', async () => {
    const answer = await post(dialog, undefined, '/v1/routes/dialog');
    expect(answer.json()).toEqual({ node: 'fs-2', uri: 'sip:10.0.0.2:5080', moved: true });
  });

  it('refuses a dialog request with a host name as node', async () => {
    expect((await post({ ...dialog, node: 'fs-1:5060' }, undefined, '/v1/routes/dialog')).statusCode).toBe(
      400,
    );
  });

  it('documents itself, with the fields it takes', async () => {
    const { paths } = (await server.inject('/docs/json')).json();
    const schema = paths['/v1/routes/session'].post.requestBody.content['application/json'].schema;
    expect(Object.keys(schema.properties)).toEqual(Object.keys(BODY));
    expect(schema.additionalProperties).toBe(false);
    expect((await server.inject('/docs/')).statusCode).toBe(200);
  });

  it('has no other path', async () => {
    expect((await server.inject('/v1/other')).json()).toMatchObject({ code: 'not_found' });
  });
});
