import { NodeRole } from '@callmesh/proto/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { xmlEndpoint } from '../src/adapters/xml/endpoint.ts';
import { PolicyAnswers } from '../src/adapters/xml/policy-answers.ts';
import { scriptedApp, TOKEN } from './support/scripted-app.ts';
import { answering, type Behaviour, failing, ScriptedPolicy, silent } from './support/scripted-policy.ts';

const PASSWORD = 's3cret of the event socket';
const SESSION = '0123456789abcdef';
const NOT_FOUND = /<result status="not found"\/>/;
const document = (text: string) =>
  `<document type="freeswitch/xml"><section name="dialplan">${text}</section></document>`;
const route = answering(document(`session ${SESSION} again ${SESSION}`), { 'x-callmesh-session': SESSION });
const call = (more: Record<string, string> = {}) => ({
  hostname: 'fs-router-1',
  'Caller-Context': 'mesh',
  variable_sip_req_user: 'alice',
  variable_sip_req_host: 'acme.example',
  'variable_sip_h_X-Callmesh-Tenant': 'acme',
  ...more,
});

let policies: ScriptedPolicy[] = [];
let gone: string[] = [];
let endpoint: ReturnType<typeof xmlEndpoint>;
let lacks: Map<string, string>;
/** The carriers this node answers itself. */
let carriers: string | undefined;

beforeEach(async () => {
  const scripted = scriptedApp();
  lacks = scripted.lacks;
  const answers = new PolicyAnswers(scripted.app, () => [...gone, ...policies.map(({ url }) => url)]);
  endpoint = xmlEndpoint({
    listen: '127.0.0.1:0',
    password: PASSWORD,
    ask: (section, fields, body) => answers.ask({ role: NodeRole.NODE_ROLE_ROUTER, section, fields }, body),
    carriers: () => carriers,
  });
  await endpoint.start?.();
});
afterEach(async () => {
  await endpoint.stop?.();
  await Promise.all(policies.map((policy) => policy.stop()));
  policies = [];
  gone = [];
  carriers = undefined;
});

const policy = async (behaviour: Behaviour) => {
  const one = await ScriptedPolicy.start(behaviour);
  policies.push(one);
  return one;
};

/** What FreeSWITCH posts; a string is the form as it is. */
function post(
  form: Record<string, string> | string,
  path = 'dialplan',
  more: RequestInit = {},
): Promise<Response> {
  const credentials = Buffer.from(`freeswitch:${PASSWORD}`).toString('base64');
  return fetch(`http://${endpoint.address}/v1/freeswitch/${path}`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${credentials}`,
      'content-type': 'application/x-www-form-urlencoded',
      ...(more.headers as Record<string, string>),
    },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  });
}
const ask = async (form = call(), path?: string) => (await post(form, path)).text();
const timed = async (form = call()) => {
  const began = performance.now();
  return { text: await ask(form), ms: performance.now() - began };
};

describe('FreeSWITCH at its agent', () => {
  it('gets what policy answers; policy gets the form as it came, and the token of the mesh', async () => {
    const one = await policy(answering(document('one')));
    const form = 'a=%41&b=+%20&variable_sip_req_user=%E2%82%AC&b=2';
    const response = await post(form);
    expect(response.headers.get('content-type')).toContain('text/xml');
    expect(await response.text()).toBe(document('one'));
    expect(one.asked).toEqual([
      { path: '/v1/freeswitch/dialplan', authorization: `Bearer ${TOKEN}`, body: form },
    ]);
    expect(await ask(call(), 'directory')).toBe(document('one'));
    expect(one.asked[1]?.path).toBe('/v1/freeswitch/directory');
  });

  it.each([
    ['no credentials', ''],
    ['a wrong password', `Basic ${Buffer.from('freeswitch:wrong').toString('base64')}`],
    ['another user', `Basic ${Buffer.from(`root:${PASSWORD}`).toString('base64')}`],
    ['the token of the mesh', `Bearer ${TOKEN}`],
  ])('is refused with %s', async (_, authorization) => {
    const one = await policy(answering(document('one')));
    const response = await post(call(), 'dialplan', { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(await response.text()).toBe('');
    expect(one.asked).toEqual([]);
  });

  it('is refused what is too long, what is no form, and what nobody answers', async () => {
    expect((await post({ a: 'x'.repeat(300_000) })).status).toBe(413);
    const json = { headers: { 'content-type': 'application/json' } };
    expect((await post('{}', 'dialplan', json)).status).toBe(415);
    expect((await post(call(), 'configuration')).status).toBe(404);
  });

  it('hears that there is nothing, when nobody knows', async () => {
    expect(await ask()).toMatch(NOT_FOUND);
    expect(lacks.get('policy')).toContain('no instance answers');
  });

  it('hears of the carriers from its agent alone', async () => {
    const one = await policy(answering(document('one')));
    const asked = call({ key_value: 'carriers', purpose: 'gateways' });
    expect(await ask(asked, 'directory')).toMatch(NOT_FOUND);
    carriers = document('carriers');
    expect(await ask(asked, 'directory')).toBe(carriers);
    expect(one.asked).toEqual([]);
  });
});

describe('policy, asked for FreeSWITCH', () => {
  it.each([
    ['fails', failing(500)],
    ['refuses the token', failing(401)],
    ['talks nonsense', answering('<html>hello</html>')],
    ['goes on for ever', answering(`<document>${'x'.repeat(300_000)}</document>`)],
    ['hangs up', (response) => response.destroy()],
  ] as [string, Behaviour][])('is asked at another instance when one %s', async (_, behaviour) => {
    await policy(behaviour);
    await policy(answering(document('well')));
    for (let n = 0; n < 4; n++) expect(await ask()).toBe(document('well'));
    expect(lacks.size).toBe(0);
  });

  it('is asked at another instance when one is gone', async () => {
    gone = ['http://127.0.0.1:1'];
    await policy(answering(document('well')));
    for (let n = 0; n < 4; n++) expect((await timed()).ms).toBeLessThan(400);
  });

  it('costs one timeout when an instance is frozen, not one for each question', async () => {
    const frozen = await policy(silent);
    await policy(answering(document('well')));
    let slow = 0;
    for (let n = 0; n < 8; n++) {
      const { text, ms } = await timed(call({ variable_sip_req_user: `agent-${n}` }));
      expect(text).toBe(document('well'));
      expect(ms).toBeLessThan(1_500);
      slow += Number(ms > 700);
    }
    expect(slow).toBe(1);
    expect(frozen.asked).toHaveLength(1);
  });

  it('gives up before FreeSWITCH does, however many are frozen', async () => {
    for (let n = 0; n < 5; n++) await policy(silent);
    const { text, ms } = await timed();
    expect(text).toMatch(NOT_FOUND);
    expect(ms).toBeGreaterThan(2_300);
    expect(ms).toBeLessThan(2_900);
  });
});

describe('while policy is away', () => {
  const away = (one: ScriptedPolicy) => {
    one.behaviour = failing(503);
  };

  it('the last good answer is given, about a session of its own each time', async () => {
    const one = await policy(route);
    await ask();
    away(one);
    const ids = new Set<string>();
    for (let n = 0; n < 3; n++) {
      const [, first, second] = /session (\w+) again (\w+)/.exec(await ask(call({ 'Unique-ID': `${n}` })))!;
      expect(first).toMatch(/^[0-9a-f]{16}$/);
      expect(second).toBe(first);
      ids.add(first!);
    }
    expect(ids.size).toBe(3);
    expect(ids).not.toContain(SESSION);
    expect(lacks.get('policy')).toContain('last known answers');
    one.behaviour = route;
    expect(await ask()).toContain(SESSION);
    expect(lacks.size).toBe(0);
  });

  it('no answer is given to another question', async () => {
    const one = await policy(route);
    await ask();
    away(one);
    expect(await ask(call({ 'variable_sip_h_X-Callmesh-Tenant': 'globex' }))).toMatch(NOT_FOUND);
    expect(await ask(call({ variable_sip_req_user: 'bob' }))).toMatch(NOT_FOUND);
  });

  it('the last answer is given at once, when all instances are frozen', async () => {
    const [one, two] = [await policy(route), await policy(route)];
    await ask();
    one.behaviour = silent;
    two.behaviour = silent;
    expect((await timed()).text).toContain('session');
    const { text, ms } = await timed();
    expect(text).toContain('session');
    expect(ms).toBeLessThan(400);
  });

  it('a refusal is an answer like any other', async () => {
    const refusal = document('403 Destination Forbidden');
    const one = await policy(route);
    await ask();
    one.behaviour = answering(refusal);
    await ask();
    away(one);
    expect(await ask()).toBe(refusal);
  });

  it('a refusal of the moment is not given again, and what was good before it is', async () => {
    const limit = answering(document('503 Concurrent Call Limit'), { 'cache-control': 'no-store' });
    const one = await policy(limit);
    expect(await ask()).toContain('Limit');
    away(one);
    expect(await ask()).toMatch(NOT_FOUND);
    one.behaviour = route;
    await ask();
    one.behaviour = limit;
    expect(await ask()).toContain('Limit');
    away(one);
    expect(await ask()).toContain('session');
  });

  it('what there is no more is not given', async () => {
    const one = await policy(route);
    await ask();
    one.behaviour = answering(
      '<document type="freeswitch/xml"><section name="result"><result status="not found"/></section></document>',
    );
    await ask();
    away(one);
    expect(await ask()).toMatch(NOT_FOUND);
  });
});
