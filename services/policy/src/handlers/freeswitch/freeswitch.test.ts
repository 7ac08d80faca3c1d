import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Exchange, openExchange, SESSION, TOKEN } from '../../../test/support/exchange.ts';

const given = {
  platform_links: { 'general/router': 'routers' },
  tenants: {
    acme: {
      blocked_destinations: ['+4919'],
      trunks: {
        alpha: {
          kind: 'carrier',
          from: ['192.0.2.31'],
          contact: 'sip:192.0.2.31',
          priority: 1,
          max_channels: 2,
          rules: {
            inbound: {
              called: [{ match: '0', strip: 1, prepend: '+49' }],
              calling: [{ match: '0', strip: 1, prepend: '+49' }],
            },
            outbound: { called: [{ match: '+49', strip: 3, prepend: '0' }] },
          },
        },
        beta: {
          kind: 'carrier',
          contact: 'sip:sip.beta.example',
          priority: 2,
          identity_header: 'remote-party-id',
          failover_causes: ['CALL_REJECTED'],
        },
        gamma: { kind: 'carrier', auth: 'digest', username: 'gamma', password: 'secret', realm: 'carriers' },
      },
    },
  },
};

const inside = (over: Record<string, string> = {}) => ({
  hostname: 'fs-router-1',
  section: 'dialplan',
  'Caller-Context': 'mesh',
  variable_sip_call_id: 'c1@media',
  variable_sip_req_user: 'alice',
  variable_sip_req_host: 'acme.example',
  variable_sip_from_user: '101',
  variable_sip_from_host: '10.0.1.1',
  'Caller-Caller-ID-Number': '101',
  variable_sip_network_ip: '10.0.1.1',
  variable_sip_network_port: '5060',
  'variable_sip_h_X-Callmesh-Session': 'aaaaaaaaaaaaaaaa',
  'variable_sip_h_X-Callmesh-Tenant': 'acme',
  ...over,
});
const out = (over: Record<string, string> = {}) =>
  inside({
    hostname: 'fs-tandem-1',
    variable_sip_req_user: '+4989123456',
    variable_sip_req_host: '10.0.5.1',
    'Caller-Caller-ID-Number': '+4930100',
    ...over,
  });
const from = (over: Record<string, string> = {}) => ({
  hostname: 'fs-tandem-1',
  'Caller-Context': 'carriers',
  variable_sip_call_id: 'c1@carrier',
  variable_sip_req_user: '030100',
  variable_sip_req_host: '10.0.5.1',
  variable_sip_from_user: '0171234567',
  variable_sip_from_host: '192.0.2.31',
  'Caller-Caller-ID-Number': '0171234567',
  variable_sip_network_ip: '192.0.2.31',
  variable_sip_network_port: '5060',
  ...over,
});

let exchange: Exchange;
beforeEach(async () => {
  exchange = await openExchange(given);
});
afterEach(() => exchange.server.close());

const contact = (uri: string, path: string[] = ['<sip:edge@10.0.9.2:5060;lr;ob>'], tenantId = 'acme') => ({
  uri,
  path,
  routerId: 'fs-router-1',
  tenantId,
});

describe('a router asked about a call to an agent', () => {
  it('rings all its devices at once, each by the door it came in', async () => {
    exchange.contacts = {
      'alice@acme.example': [
        contact('sip:k2n8@o3.invalid;transport=ws'),
        contact('sip:alice@192.0.2.77:5062', ['sip:10.0.9.2;transport=tcp;lr']),
      ],
    };
    const { actions, headers } = await exchange.dialplan(inside());
    expect(actions).toEqual([
      'set hangup_after_bridge=true',
      'set continue_on_fail=false',
      'set call_timeout=300',
      'bridge ' +
        '[callmesh_agent=alice@acme.example]sofia/mesh/sip:k2n8@o3.invalid;transport=ws;fs_path=%3Csip%3Aedge%4010.0.9.2%3A5060%3Blr%3Bob%3E,' +
        '[callmesh_agent=alice@acme.example]sofia/mesh/sip:alice@192.0.2.77:5062;fs_path=%3Csip%3A10.0.9.2%3Btransport%3Dtcp%3Blr%3E',
    ]);
    expect(headers).not.toHaveProperty('x-callmesh-session');
    expect(headers).not.toHaveProperty('cache-control');
  });

  it('says that nobody is there, for this call only', async () => {
    const { actions, headers } = await exchange.dialplan(inside());
    expect(actions).toEqual(['respond 480 Temporarily Unavailable']);
    expect(headers['cache-control']).toBe('no-store');
    expect(exchange.outcomes).toEqual(['dialplan not_registered']);
  });

  it('leaves out devices registered under another tenant, and contacts that could mislead FreeSWITCH', async () => {
    exchange.contacts = {
      'alice@acme.example': [
        contact('sip:x@192.0.2.1', [], 'bravo'),
        contact('sip:x@192.0.2.1|sofia/mesh/sip:evil@192.0.2.66', []),
        contact('sip:x@192.0.2.1', ['<sip:edge@10.0.9.2>,loopback/evil']),
      ],
    };
    expect((await exchange.dialplan(inside())).actions).toEqual(['respond 480 Temporarily Unavailable']);
  });

  it.each([
    ['a domain of another tenant', { variable_sip_req_host: 'bravo.example' }, '403 Forbidden', true],
    ['a tenant that is not there', { 'variable_sip_h_X-Callmesh-Tenant': 'nobody' }, '403 Forbidden', true],
    ['no tenant', { 'variable_sip_h_X-Callmesh-Tenant': '' }, '403 Forbidden', true],
    ['an agent that is not there', { variable_sip_req_user: 'mallory' }, '404 Not Found', false],
    ['a disabled agent', { variable_sip_req_user: 'carol' }, '403 Agent Disabled', false],
  ])('refuses %s', async (_what, over, answer, audited) => {
    expect((await exchange.dialplan(inside(over))).actions).toEqual([`respond ${answer}`]);
    expect(exchange.refusals).toHaveLength(audited ? 1 : 0);
  });

  it('lets the media node try another router when session-cache does not answer', async () => {
    exchange.contacts = undefined;
    const { actions, headers } = await exchange.dialplan(inside());
    expect(actions[0]).toMatch(/^respond 5/);
    expect(headers['cache-control']).toBe('no-store');
  });
});

describe('a router asked about a call of an agent', () => {
  const call = (over: Record<string, string> = {}) =>
    inside({
      variable_sip_req_user: '+4989123456',
      variable_sip_req_host: '10.0.4.1',
      variable_sip_from_user: 'alice',
      variable_sip_from_host: 'acme.example',
      variable_sip_network_ip: '10.0.9.2',
      'variable_sip_h_X-Callmesh-Agent': 'alice@acme.example',
      'variable_sip_h_X-Callmesh-Node': 'fs-router-1',
      ...over,
    });

  it('brings it to media nodes in order, as a session of theirs', async () => {
    const { actions, headers } = await exchange.dialplan(call());
    const leg = (node: string) =>
      `[sip_h_X-Callmesh-Session=${SESSION},sip_h_X-Callmesh-Tenant=acme,sip_h_X-Callmesh-Function=general,` +
      `sip_h_X-Callmesh-Agent=alice@acme.example,sip_h_X-Callmesh-Node=${node}]`;
    expect(actions).toEqual([
      'set sip_copy_custom_headers=false',
      `set callmesh_session=${SESSION}`,
      'set callmesh_tenant=acme',
      'set callmesh_agent=alice@acme.example',
      'set hangup_after_bridge=true',
      'set continue_on_fail=false',
      'set call_timeout=300',
      expect.stringMatching(/^bridge \{fail_on_single_reject=!NORMAL_TEMPORARY_FAILURE\//),
    ]);
    expect(actions.at(-1)!.split('}')[1]!.split('|')).toEqual([
      `${leg('fs-a1')}sofia/mesh/sip:+4989123456@10.0.1.1:5060`,
      `${leg('fs-a2')}sofia/mesh/sip:+4989123456@10.0.1.2:5060`,
      `${leg('fs-a3')}sofia/mesh/sip:+4989123456@10.0.1.3:5060`,
    ]);
    expect(headers['x-callmesh-session']).toBe(SESSION);
  });

  it('escapes what was dialled', async () => {
    const { actions } = await exchange.dialplan(call({ variable_sip_req_user: '*97#' }));
    expect(actions.at(-1)).toContain('sofia/mesh/sip:*97%23@10.0.1.1:5060');
  });

  it.each([
    ['a blocked destination', { variable_sip_req_user: '+49190123' }, '403 Destination Forbidden'],
    [
      'an agent of another tenant',
      { 'variable_sip_h_X-Callmesh-Agent': 'dave@bravo.example' },
      '403 Forbidden',
    ],
    ['a tenant that is not there', { 'variable_sip_h_X-Callmesh-Tenant': 'nobody' }, '403 Forbidden'],
    ['a header the mesh does not write', { 'variable_sip_h_X-Callmesh-Session': '${x}' }, '400 Bad Request'],
    ['control characters', { variable_sip_req_user: 'a\r\nb' }, '400 Bad Request'],
  ])('refuses %s', async (_what, over, answer) => {
    expect((await exchange.dialplan(call(over))).actions).toEqual([`respond ${answer}`]);
  });

  it('says that a limit is of this moment', async () => {
    exchange.mesh.directory.put({
      kind: 'tenant',
      value: { ...exchange.mesh.directory.tenant('acme')!, maxCps: 1 },
    });
    await exchange.dialplan(call());
    const { actions, headers } = await exchange.dialplan(call({ variable_sip_call_id: 'c2' }));
    expect(actions).toEqual(['respond 503 Call Rate Limit']);
    expect(headers['cache-control']).toBe('no-store');
  });
});

describe('a tandem asked about a call out', () => {
  it('offers it to carriers in order, each in its form, and goes on when the carrier failed', async () => {
    const { actions } = await exchange.dialplan(out());
    expect(actions).toEqual([
      'set sip_copy_custom_headers=false',
      'set hangup_after_bridge=true',
      'set call_timeout=300',
      expect.stringMatching(/^set continue_on_fail=NORMAL_TEMPORARY_FAILURE,RECOVERY_ON_TIMER_EXPIRE,/),
      'bridge [callmesh_trunk=alpha,leg_progress_timeout=12,sip_cid_type=none,' +
        'origination_caller_id_number=+4930100,origination_caller_id_name=+4930100,' +
        'sip_h_P-Asserted-Identity=<sip:+4930100@192.0.2.31>]sofia/gateway/alpha/089123456',
      'set continue_on_fail=false',
      'bridge [callmesh_trunk=beta,leg_progress_timeout=12,sip_cid_type=none,' +
        'origination_caller_id_number=+4930100,origination_caller_id_name=+4930100,' +
        'sip_h_Remote-Party-ID=<sip:+4930100@sip.beta.example>;party=calling;screen=yes;privacy=off]' +
        'sofia/gateway/beta/+4989123456',
    ]);
  });

  it('hides who wants to be hidden, and asserts it to the carrier', async () => {
    const { actions } = await exchange.dialplan(out({ variable_sip_Privacy: 'id' }));
    expect(actions[4]).toContain(
      'origination_caller_id_number=anonymous,origination_caller_id_name=Anonymous,' +
        'sip_invite_domain=anonymous.invalid,sip_h_Privacy=id,sip_h_P-Asserted-Identity=<sip:+4930100@192.0.2.31>]',
    );
    expect(actions[6]).toContain(';privacy=full]');
  });

  it('takes only the carrier that is named', async () => {
    const { actions } = await exchange.dialplan(out({ 'variable_sip_h_X-Callmesh-Trunk': 'beta' }));
    expect(actions.filter((action) => action.startsWith('bridge'))).toHaveLength(1);
    expect(actions.at(-1)).toContain('sofia/gateway/beta/');
  });

  it('counts what it sends out: a carrier that is full is passed over', async () => {
    for (const session of ['bbbbbbbbbbbbbbbb', 'cccccccccccccccc'])
      await exchange.dialplan(out({ 'variable_sip_h_X-Callmesh-Session': session }));
    const { actions } = await exchange.dialplan(out());
    expect(actions.join()).not.toContain('sofia/gateway/alpha/');
  });

  it.each([
    ['a blocked destination', { variable_sip_req_user: '+49190123' }, '403 Destination Forbidden', 0],
    ['a premium one', { variable_sip_req_user: '0088213' }, '403 Destination Forbidden', 0],
    ['what is no outside number', { variable_sip_req_user: '100' }, '404 Not Found', 0],
    ['a tenant that is not there', { 'variable_sip_h_X-Callmesh-Tenant': 'nobody' }, '403 Forbidden', 1],
    [
      "a trunk that is not the tenant's",
      { 'variable_sip_h_X-Callmesh-Trunk': 'bravo-pbx' },
      '403 Forbidden',
      1,
    ],
    [
      'a tenant without carriers',
      { 'variable_sip_h_X-Callmesh-Tenant': 'bravo' },
      '503 Service Unavailable',
      0,
    ],
  ])('refuses %s', async (_what, over, answer, audited) => {
    expect((await exchange.dialplan(out(over))).actions).toEqual([`respond ${answer}`]);
    expect(exchange.refusals).toHaveLength(audited);
  });
});

describe('a tandem asked about a call in', () => {
  it('knows the trunk by its address, and brings the call to its tenant in E.164', async () => {
    const { actions, headers } = await exchange.dialplan(from());
    expect(actions.slice(0, 4)).toEqual([
      'set sip_copy_custom_headers=false',
      `set callmesh_session=${SESSION}`,
      'set callmesh_tenant=acme',
      'set callmesh_trunk=alpha',
    ]);
    expect(actions.at(-1)).toContain(
      'sip_h_X-Callmesh-Trunk=alpha,origination_caller_id_number=+49171234567,' +
        'origination_caller_id_name=+49171234567,sip_h_X-Callmesh-Node=fs-a1]sofia/mesh/sip:+4930100@10.0.1.1:5060',
    );
    expect(headers['x-callmesh-session']).toBe(SESSION);
  });

  it('knows the trunk by the login FreeSWITCH has checked', async () => {
    const login = { variable_sip_auth_username: 'gamma', variable_sip_auth_realm: 'carriers' };
    const { actions } = await exchange.dialplan(
      from({ variable_sip_network_ip: '203.0.113.9', variable_sip_req_user: '+4930100', ...login }),
    );
    expect(actions).toContain('set callmesh_trunk=gamma');
  });

  it('tells nobody of a caller who wants to stay unknown', async () => {
    const { actions } = await exchange.dialplan(from({ variable_sip_Privacy: 'id' }));
    expect(actions.at(-1)).toContain(
      'origination_caller_id_number=anonymous,origination_caller_id_name=Anonymous',
    );
  });

  it('believes no header of the mesh', async () => {
    const forged = {
      'variable_sip_h_X-Callmesh-Tenant': 'bravo',
      'variable_sip_h_X-Callmesh-Session': 'not even one',
      'variable_sip_h_X-Callmesh-Agent': 'alice@acme.example',
    };
    const { actions } = await exchange.dialplan(from(forged));
    expect(actions).toContain('set callmesh_tenant=acme');
    expect(actions.join()).not.toContain('alice');
  });

  it('does not pass on a caller that could mislead FreeSWITCH', async () => {
    const { actions } = await exchange.dialplan(
      from({ 'Caller-Caller-ID-Number': '1,x=${system(reboot)}]' }),
    );
    expect(actions.at(-1)).toContain('origination_caller_id_number=unknown,');
  });

  it.each([
    ['a stranger', { variable_sip_network_ip: '203.0.113.66' }, '403 Unknown Trunk'],
    ["the tenant's own PBX", { variable_sip_network_ip: '192.0.2.10' }, '403 Unknown Trunk'],
    ['an extension', { variable_sip_req_user: '100' }, '404 Not Found'],
    ["another tenant's number", { variable_sip_req_user: '040100' }, '404 Not Found'],
    ['a number outside', { variable_sip_req_user: '089123456' }, '404 Not Found'],
  ])('refuses %s', async (_what, over, answer) => {
    expect((await exchange.dialplan(from(over))).actions).toEqual([`respond ${answer}`]);
  });
});

describe('a question of FreeSWITCH', () => {
  it.each([
    ['a node nobody knows', inside({ hostname: 'fs-stranger' })],
    ['a media node', inside({ hostname: 'fs-a1' })],
    ['a router about a call from a carrier', from({ hostname: 'fs-router-1' })],
  ])('of %s is refused and audited', async (_what, fields) => {
    expect((await exchange.dialplan(fields)).actions).toEqual(['respond 403 Forbidden']);
    expect(exchange.refusals).toMatchObject([{ what: 'dialplan', actor: fields.hostname }]);
  });

  it('about a context policy has no part in is not found', async () => {
    const { status, text } = await exchange.dialplan(inside({ 'Caller-Context': 'public' }));
    expect(status).toBe(200);
    expect(text).toContain('<result status="not found"/>');
  });

  it('gets 503 while nothing is known of the mesh yet', async () => {
    exchange.mesh.known = false;
    expect((await exchange.dialplan(inside())).actions).toEqual(['respond 503 Service Unavailable']);
  });

  it('may be as long as two session descriptions, and no longer than its limit', async () => {
    expect((await exchange.dialplan(inside({ variable_switch_r_sdp: 'x'.repeat(100_000) }))).status).toBe(
      200,
    );
    expect((await exchange.dialplan(inside({ variable_switch_r_sdp: 'x'.repeat(300_000) }))).status).toBe(
      413,
    );
  });

  it('gets a document without XML declaration: FreeSWITCH would skip its line', async () => {
    for (const { text } of [await exchange.dialplan(inside()), await exchange.directory(inside())])
      expect(text).toMatch(/^<document type="freeswitch\/xml">\n/);
  });

  it('must carry the token, and a node id', async () => {
    const url = '/v1/freeswitch/dialplan';
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const ask = (headers: Record<string, string>, payload: string) =>
      exchange.server.inject({ method: 'POST', url, headers: { ...form, ...headers }, payload });
    expect((await ask({}, 'hostname=fs-router-1')).statusCode).toBe(401);
    const authorization = `Bearer ${TOKEN}`;
    expect((await ask({ authorization }, 'hostname=${x}&Caller-Context=mesh')).json()).toMatchObject({
      code: 'invalid_argument',
    });
  });

  it('is documented, with the fields that matter', async () => {
    const { paths } = (await exchange.server.inject('/docs/json')).json();
    const [body] = Object.values(paths['/v1/freeswitch/dialplan'].post.requestBody.content) as [unknown];
    expect(JSON.stringify(body)).toContain('Caller-Context');
    expect(paths['/v1/freeswitch/directory']).toBeDefined();
  });
});

describe('the directory', () => {
  const auth = {
    action: 'sip_auth',
    sip_auth_username: 'gamma',
    sip_auth_realm: 'carriers',
    key_value: 'carriers',
  };
  it('gives a tandem the hash of a carrier that logs in', async () => {
    const { text } = await exchange.directory({ hostname: 'fs-tandem-1', ...auth });
    expect(text.replace(/\s*\n\s*/g, '')).toMatch(
      /<domain name="carriers"><user id="gamma"><params><param name="a1-hash" value="[0-9a-f]{32}"\/>/,
    );
    expect(text).toContain('<variable name="callmesh_trunk" value="gamma"/>');
  });

  it.each([
    ['a node nobody knows', { hostname: 'fs-stranger', ...auth }],
    ['a router', { hostname: 'fs-router-1', ...auth }],
    [
      'a tandem about an agent',
      { hostname: 'fs-tandem-1', ...auth, sip_auth_username: 'alice', sip_auth_realm: 'acme.example' },
    ],
    ['a tandem about a mailbox', { hostname: 'fs-tandem-1', user: 'alice', domain: 'acme.example' }],
    ['a media node about nobody', { hostname: 'fs-a1', user: 'mallory', domain: 'acme.example' }],
  ])('tells %s nothing', async (_what, fields) => {
    const { status, text } = await exchange.directory(fields);
    expect([status, text.includes('not found')]).toEqual([200, true]);
  });

  it('gives a media node an agent with its mailbox, without any hash', async () => {
    const { text } = await exchange.directory({ hostname: 'fs-a1', user: 'alice', domain: 'acme.example' });
    expect(text).toContain('<param name="vm-enabled" value="true"/>');
    expect(text).not.toMatch(/[0-9a-f]{32}|hash|password/);
  });
});
