import type { ServerResponse } from 'node:http';
import { beforeEach, describe, expect, it } from 'vitest';
import { call, Dialog } from './caller.ts';
import { refusal, routeTo, type Script } from './fake-policy.ts';
import { header } from './message.ts';
import type { SipPeer } from './peer.ts';
import { sipp } from './sipp.ts';
import { stage } from './stage.ts';

const never = () => new Promise<undefined>(() => {});
const late: Script = async () => {
  await new Promise((resolve) => setTimeout(resolve, 10_000).unref());
  return routeTo([]);
};
const cutOff = (_: unknown, response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '4000' });
  response.write('{"version":"1.0","routing":"serial","routes":[{"uri":"sip:49');
  setTimeout(() => response.destroy(), 5);
  return undefined;
};
const says =
  (status: number, body: unknown): Script =>
  () => ({ status, body });

/** Every way an HTTP server can be of no use. */
const useless: ReadonlyArray<readonly [string, Script]> = [
  ['frozen', never],
  ['10 s late', late],
  ['cutting its answers off', cutOff],
  ['answering noise', says(200, '\u0001\u0002 not json')],
  ['answering HTML', says(200, '<html><body>It works!</body></html>')],
  ['answering nothing', says(200, '')],
  ['answering half a document', says(200, '{"version":"1.0","routes":[{"uri":')],
  ['answering other JSON', says(200, { hello: 'world' })],
  ['answering a list', says(200, [])],
  ['answering without targets', says(200, { ...(routeTo([]).body as object) })],
  ['answering targets of its own', () => routeTo(['192.0.2.1:5060', '127.0.0.1:22'])],
  ['failing with an HTML page', says(502, '<html>Bad Gateway</html>')],
  ['failing with JSON', () => refusal(500, 'internal', 500, 'Server Internal Error')],
  ['not ready', () => refusal(503, 'unavailable', 503, 'Service Unavailable')],
  [
    'refusing our token',
    () => ({
      ...refusal(401, 'unauthenticated', 403, 'Forbidden'),
      headers: { 'www-authenticate': 'Bearer' },
    }),
  ],
  ['refusing with a status that is no SIP status', () => refusal(403, 'unknown_trunk', 20, 'Unknown')],
  ['refusing with a reason of two lines', () => refusal(403, 'unknown_trunk', 403, 'Bad\r\nX-Evil: 1')],
];

describe('with a policy that is of no use', () => {
  const s = stage();
  let target: SipPeer;

  beforeEach(async () => {
    target = await s.node();
    await s.edge.fallbackNodes([[1, target.key]]);
    await s.edge.trunkAddresses(['1 127.0.0.2 32 0 acme|acme-pbx|never']);
  });

  it.each(useless)('%s, no call of 50 a second is lost', async (_, script) => {
    s.policy.script = script;
    s.policy.probeScript = script;
    const result = await sipp({ to: s.edge, from: '127.0.0.2', rate: 50, calls: 75 });
    expect(result).toMatchObject({ successful: 75, failed: 0 });
  });

  it('dead, no call of 50 a second is lost', async () => {
    await s.edge.policies(['http://127.0.0.1:9']);
    const result = await sipp({ to: s.edge, from: '127.0.0.2', rate: 50, calls: 75 });
    expect(result).toMatchObject({ successful: 75, failed: 0 });
  });

  it('frozen, it costs one timeout and not one per call', async () => {
    s.policy.script = never;
    s.policy.probeScript = never;
    await call(new Dialog(s.pbx, s.edge));
    const started = Date.now();
    for (let i = 0; i < 20; i++) expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(200);
    expect(Date.now() - started).toBeLessThan(1000);
    expect(s.policy.questions).toHaveLength(1);
  });

  it('it is asked again once a probe got a sensible answer', async () => {
    s.policy.script = never;
    s.policy.probeScript = never;
    await call(new Dialog(s.pbx, s.edge));
    s.policy.script = () => routeTo([target.key]);
    s.policy.probeScript = undefined;
    const deadline = Date.now() + 10_000;
    while (s.policy.questions.length < 2 && Date.now() < deadline) await call(new Dialog(s.pbx, s.edge));
    expect(s.policy.questions.length).toBeGreaterThan(1);
  });

  it('while another instance is well, that one decides', async () => {
    s.policy.script = () => routeTo([target.key]);
    await s.edge.policies(['http://127.0.0.1:9', s.policy.url]);
    const before = await s.edge.metric('callmesh_fallback_total');
    for (let i = 0; i < 5; i++) expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(200);
    expect(await s.edge.metric('callmesh_fallback_total')).toBe(before);
  });
});

describe('without policy', () => {
  const s = stage();
  beforeEach(() => s.edge.policies([]));

  it('a trunk’s call goes to a node of its own group, marked as its tenant’s', async () => {
    const [mine, foreign] = [await s.node(), await s.node()];
    await s.edge.fallbackNodes([
      [1, mine.key],
      [2, foreign.key],
    ]);
    await s.edge.trunkAddresses(['1 127.0.0.2 32 0 acme|acme-pbx|auto', '2 127.0.0.3 32 0 other|pbx|auto']);
    for (let i = 0; i < 6; i++) expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(200);
    expect(foreign.count('INVITE')).toBe(0);
    const { message } = await mine.takeRequest('INVITE');
    expect(header(message, 'X-Callmesh-Tenant')).toBe('acme');
    expect(header(message, 'X-Callmesh-Session')).toMatch(/^[0-9a-f]{16}$/);
    expect(header(message, 'X-Callmesh-Function')).toBe('general');
    expect(header(message, 'X-Callmesh-Node')).toBe('node-0');
    expect(message.uri).toBe(`sip:4930123456@${mine.key}`);
  });

  it('calls take the nodes of a group in turn, and a failing one is passed over', async () => {
    const [a, b, dead] = [await s.node(), await s.node(), await s.node({ status: 503 })];
    await s.edge.fallbackNodes([
      [1, a.key],
      [1, b.key],
      [1, dead.key],
    ]);
    await s.edge.trunkAddresses(['1 127.0.0.2 32 0 acme|acme-pbx|auto']);
    for (let i = 0; i < 6; i++) expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(200);
    expect(a.count('INVITE')).toBeGreaterThan(1);
    expect(b.count('INVITE')).toBeGreaterThan(1);
  });

  it('a call from an unknown source is refused', async () => {
    const target = await s.node();
    await s.edge.fallbackNodes([[1, target.key]]);
    await s.edge.trunkAddresses(['1 127.0.0.2 32 0 acme|acme-pbx|auto']);
    const stranger = new Dialog(await s.party('127.0.0.7'), s.edge);
    expect((await call(stranger)).startLine).toBe('SIP/2.0 403 Unknown Trunk');
    expect(target.count('INVITE')).toBe(0);
  });

  it('a trunk bound to a port is known only from that port', async () => {
    const target = await s.node();
    await s.edge.fallbackNodes([[1, target.key]]);
    await s.edge.trunkAddresses([`1 127.0.0.2 32 ${s.pbx.port} acme|acme-pbx|auto`]);
    expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(200);
    expect((await call(new Dialog(await s.party('127.0.0.2'), s.edge))).status).toBe(403);
  });

  it('a group without a node says when to try again', async () => {
    await s.edge.fallbackNodes([[2, (await s.node()).key]]);
    await s.edge.trunkAddresses(['1 127.0.0.2 32 0 acme|acme-pbx|auto']);
    const no = await call(new Dialog(s.pbx, s.edge));
    expect(no.startLine).toBe('SIP/2.0 503 No Node Available');
    expect(Number(header(no, 'Retry-After'))).toBeGreaterThan(0);
  });

  it('a group whose nodes are all down, or not known, says so too', async () => {
    const target = await s.node();
    await s.edge.fallbackNodes([[1, target.key]]);
    await s.edge.nodes([target.key], 'down');
    await s.edge.trunkAddresses(['1 127.0.0.2 32 0 acme|acme-pbx|never']);
    expect((await call(new Dialog(s.pbx, s.edge))).startLine).toBe('SIP/2.0 503 No Node Available');
  });

  it('an edge that was told nothing yet refuses, and does not crash', async () => {
    await s.edge.fallbackNodes([]);
    await s.edge.trunkAddresses([]);
    expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(403);
  });
});
