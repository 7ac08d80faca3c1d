import { beforeEach, describe, expect, it } from 'vitest';
import { type Exchange, openExchange } from '../../test/support/exchange.ts';
import { authorizationOf } from '../../test/support/world.ts';

const page = 'https://agents.acme.example';
const alice = { user: 'alice', realm: 'acme.example', password: 'alices-secret', algorithm: 'MD5' as const };
const given = {
  tenants: { acme: { web_origins: [page] }, bravo: { web_origins: ['https://bravo.example'] } },
  nodes: Object.fromEntries(
    [2, 3, 4].map((n) => [
      `fs-router-${n}`,
      { role: 'router', group: 'routers', zone: `z${n}`, at: `10.0.4.${n}:5060` },
    ]),
  ),
};

describe('POST /v1/routes/register', () => {
  let exchange: Exchange;

  beforeEach(async () => {
    exchange = await openExchange(given);
  });

  const question = (over: Record<string, unknown> = {}, login = alice) => ({
    edge: 'kama-wss-1',
    call_id: 'r1@browser',
    method: 'REGISTER',
    from_uri: `sip:${login.user}@${login.realm}`,
    to_uri: `sip:${login.user}@${login.realm}`,
    request_uri: `sip:${login.realm}`,
    source_address: '203.0.113.9',
    source_port: 40000,
    transport: 'wss',
    origin: page,
    authorization: authorizationOf(login, `sip:${login.realm}`, 'REGISTER'),
    ...over,
  });
  const register = (body: unknown) => exchange.edge('/v1/routes/register', body);

  it('names the router that keeps the agent, alternates, and what the edge needs to check the nonce', async () => {
    const { status, body } = await register(question());
    expect(status).toBe(200);
    expect(body).toMatchObject({
      tenant: 'acme',
      agent: 'alice@acme.example',
      group: 'routers',
      expires: 300,
      realm: 'acme.example',
    });
    expect(body.ha1).toMatch(/^[0-9a-f]{32}$/);
    const routes = body.routes as { uri: string; dst_uri: string; headers: { extra: string } }[];
    expect(routes).toHaveLength(4);
    expect(new Set(routes.map(({ dst_uri }) => dst_uri)).size).toBe(4);
    expect(routes[0]?.uri).toBe('sip:acme.example');
    expect(routes[0]?.headers.extra).toBe(
      `X-Callmesh-Tenant: acme\r\nX-Callmesh-Agent: alice@acme.example\r\nX-Callmesh-Node: ${body.node}\r\n`,
    );
    expect(exchange.refusals).toEqual([]);
  });

  it('asks for credentials where there are none, which nobody has to answer for', async () => {
    const { status, body } = await register(question({ authorization: '' }));
    expect([status, body.code, body.sip_status, body.realm]).toEqual([401, 'challenge', 401, 'acme.example']);
    expect(exchange.refusals).toEqual([]);
  });

  it.each<readonly [string, Record<string, unknown>, typeof alice, string, string]>([
    ['a wrong password', {}, { ...alice, password: 'guess' }, 'unauthenticated', 'acme'],
    ['an unknown agent', {}, { ...alice, user: 'mallory' }, 'unauthenticated', 'acme'],
    ['an unknown domain', {}, { ...alice, realm: 'elsewhere.example' }, 'unauthenticated', ''],
    ['a colleague’s address of record', { to_uri: 'sip:bob@acme.example' }, alice, 'unauthenticated', 'acme'],
    ['its own extension as one', { to_uri: 'sip:100@acme.example' }, alice, 'unauthenticated', 'acme'],
    ['another tenant’s domain', { to_uri: 'sip:alice@bravo.example' }, alice, 'tenant_forbidden', 'bravo'],
    ['another tenant’s page', { origin: 'https://bravo.example' }, alice, 'origin_forbidden', 'acme'],
    ['no page', { origin: '' }, alice, 'origin_forbidden', 'acme'],
    [
      'an agent that is switched off',
      {},
      { ...alice, user: 'carol', password: 'carols-secret' },
      'agent_disabled',
      'acme',
    ],
  ])('refuses %s, and tells of it once', async (_, over, login, code, tenantId) => {
    const { body } = await register(question(over, login));
    expect([body.code, body.sip_status]).toEqual([code, 403]);
    expect(exchange.refusals).toEqual([
      expect.objectContaining({ what: 'register', code, tenantId, actor: '203.0.113.9' }),
    ]);
    // Asked again about the same request, by the edge that got no answer in time: the same event.
    await register(question(over, login));
    expect(new Set(exchange.refusals.map(({ id }) => id)).size).toBe(1);
    // No secret of anybody's.
    expect(JSON.stringify(exchange.refusals)).not.toMatch(/[0-9a-f]{32}.*response|Digest/);
  });

  it('gives the same answer for a wrong password, an unknown agent and an unknown domain', async () => {
    const answers = await Promise.all(
      [
        { ...alice, password: 'guess' },
        { ...alice, user: 'mallory' },
        { ...alice, realm: 'elsewhere.example' },
      ].map(async (login) => (await register(question({}, login))).body),
    );
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it('refuses a disabled tenant’s agents', async () => {
    exchange = await openExchange({ tenants: { acme: { enabled: false, web_origins: [page] } } });
    expect((await register(question())).body.code).toBe('tenant_disabled');
  });

  it('says when to come again while no router is up, or nothing is known yet', async () => {
    const down = { tenants: { acme: { web_origins: [page] } }, nodes: { 'fs-router-1': { status: 'down' } } };
    exchange = await openExchange(down);
    expect((await register(question())).body).toMatchObject({
      code: 'no_node',
      sip_status: 503,
      retry_after: 2,
    });
    exchange.mesh.known = false;
    expect((await register(question())).body).toMatchObject({ code: 'unavailable', retry_after: 1 });
    expect(exchange.refusals).toEqual([]);
  });

  it('names what is wrong with a question', async () => {
    const { status, body } = await register({});
    expect([status, body.code]).toEqual([400, 'invalid_argument']);
    expect((await register(question({ to_uri: 'sip:a\u0000b@acme.example' }))).body.field).toBe('to_uri');
  });
});

describe('POST /v1/audit', () => {
  it.each([
    ['origin', 'origin_forbidden', '', ''],
    ['replay', 'unauthenticated', 'acme.example', 'acme'],
    ['register', 'tenant_forbidden', 'bravo.example', 'bravo'],
  ])('takes what an edge refused by itself: %s', async (what, code, domain, tenantId) => {
    const exchange = await openExchange();
    const told = {
      edge: 'kama-wss-1',
      what,
      source_address: '203.0.113.9',
      source_port: 1,
      domain,
      detail: 'why',
    };
    expect((await exchange.edge('/v1/audit', told)).status).toBe(202);
    expect(exchange.refusals).toEqual([
      { what, code, tenantId, actor: '203.0.113.9', detail: 'kama-wss-1: why' },
    ]);
    expect((await exchange.edge('/v1/audit', { ...told, what: 'anything' })).status).toBe(400);
    expect(exchange.refusals).toHaveLength(1);
  });
});

describe('POST /v1/routes/session from the agents’ door', () => {
  const call = (login: typeof alice, over: Record<string, unknown> = {}) => ({
    edge: 'kama-wss-1',
    call_id: 'c1@browser',
    method: 'INVITE',
    from_uri: `sip:${login.user}@${login.realm}`,
    to_uri: 'sip:bob@acme.example',
    request_uri: 'sip:bob@acme.example',
    source_address: '203.0.113.9',
    source_port: 40000,
    transport: 'wss',
    origin: page,
    authorization: authorizationOf(login, 'sip:bob@acme.example', 'INVITE'),
    ...over,
  });

  it('tells the nodes behind it who calls', async () => {
    const exchange = await openExchange(given);
    const { body } = await exchange.edge('/v1/routes/session', call(alice));
    expect(body.agent).toBe('alice@acme.example');
    const [route] = body.routes as { headers: { extra: string } }[];
    expect(route?.headers.extra).toContain('X-Callmesh-Agent: alice@acme.example\r\n');
  });

  it('tells of a refusal once, and of a trunk’s at the other door not at all', async () => {
    const exchange = await openExchange(given);
    await exchange.edge('/v1/routes/session', call({ ...alice, password: 'guess' }));
    expect(exchange.refusals).toEqual([
      expect.objectContaining({ what: 'call', code: 'unauthenticated', tenantId: 'acme' }),
    ]);
    await exchange.edge('/v1/routes/session', call({ ...alice, password: 'guess' }, { edge: 'kama-pstn-1' }));
    expect(exchange.refusals).toHaveLength(1);
  });
});
