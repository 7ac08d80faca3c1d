import { once } from 'node:events';
import { connect } from 'node:net';
import { Authority, freePort, tlsConfig } from '@callmesh/local';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Agent, alice } from './agent.ts';
import { agentPolicy, agentsStage } from './agents-stage.ts';
import { header } from './message.ts';
import { StreamPeer } from './stream-peer.ts';
import { page, WebPeer } from './web-peer.ts';

const foreign = 'https://evil.example';

describe('a WebSocket', () => {
  const s = agentsStage(() => ({ ADDRESS_CONNECTIONS: '6', UNKNOWN_CONNECTION_S: '1' }));

  beforeEach(async () => {
    s.policy.script = agentPolicy([alice], [await s.router()]);
  });

  it('opens from a page of a tenant', async () => {
    const agent = await s.webAgent(alice);
    expect((await agent.register()).status).toBe(200);
  });

  it.each([
    ['of another origin', foreign],
    ['of no origin', ''],
    ['of an origin that only begins alike', `${page}.evil.example`],
    ['of the same host without TLS', page.replace('https', 'http')],
    ['of the origin in capitals', page.toUpperCase()],
    ['of no origin, as sandboxed pages say it', 'null'],
    ['of quotes and pipes', '"|\\\'"'],
  ])('from a page %s is refused with 403, and that is told once', async (_, origin) => {
    await expect(s.browser({ origin })).rejects.toThrow('403 Origin Forbidden');
    await expect.poll(() => s.policy.audits.length).toBe(1);
    expect(s.policy.audits[0]).toMatchObject({
      edge: 'kama-wss-test',
      what: 'origin',
      source_address: '127.0.0.3',
      detail: `a page of origin ${origin}`,
    });
  });

  it('that names two origins is refused', async () => {
    const answer = await handshake(s.door.port, [`Origin: ${page}`, `Origin: ${page}`]);
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('of another protocol than SIP is refused', async () => {
    await expect(s.browser({ protocol: 'msrp' })).rejects.toThrow('400');
  });

  it.each([
    ['GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}'],
    ['GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('is all there is here: %j is answered 404', async (request) => {
    expect(await http(s.door.port, request)).toMatch(/^HTTP\/1\.1 404 /);
  });

  it('beyond what one address may have is refused for now, and others are not', async () => {
    for (let i = 0; i < 6; i++) await s.browser({ localAddress: '127.0.0.21' });
    await expect(s.browser({ localAddress: '127.0.0.21' })).rejects.toThrow('503 Too Many Connections');
    await s.browser({ localAddress: '127.0.0.22' });
  });

  it('that closed counts no more, however it closed', async () => {
    const open = await Promise.all(
      Array.from({ length: 6 }, () => s.browser({ localAddress: '127.0.0.23' })),
    );
    for (const [i, peer] of open.entries()) i % 2 ? peer.close() : peer.drop();
    await expect
      .poll(() => s.edge.rpc('htable.dump', ['counts']).then((all) => JSON.stringify(all)))
      .not.toContain('127.0.0.23');
    await Promise.all(Array.from({ length: 6 }, () => s.browser({ localAddress: '127.0.0.23' })));
  });

  it('over which nobody proves who it is, is cut off', async () => {
    const silent = await s.browser();
    const agent = await s.webAgent(alice);
    expect((await agent.register()).status).toBe(200);
    await expect.poll(() => silent.closed, { timeout: 12_000 }).toBe(true);
    expect((agent.peer as WebPeer).closed).toBe(false);
  });

  it('that says more than a phone ever does is cut off', async () => {
    const flooder = await s.webAgent(alice);
    for (let i = 0; i < 200; i++) flooder.registrations.send('OPTIONS');
    await expect.poll(() => (flooder.peer as WebPeer).closed, { timeout: 4000 }).toBe(true);
    expect((await (await s.webAgent(alice)).register()).status).toBe(200);
  });
});

describe('bytes that are no WebSocket frame', () => {
  const s = agentsStage();

  beforeEach(async () => {
    s.policy.script = agentPolicy([alice], [await s.router()]);
  });

  const text = (bytes: string) => Buffer.from(bytes, 'latin1');
  it.each([
    ['not masked', Buffer.concat([Buffer.from([0x81, 5]), text('hello')])],
    [
      'of a length beyond all memory',
      Buffer.from([0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]),
    ],
    ['of a length of 4 GB', Buffer.from([0x81, 0xff, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0])],
    ['of a length of 60 kB that never comes', Buffer.from([0x81, 0xfe, 0xea, 0x60, 0, 0, 0, 0])],
    ['with reserved bits', Buffer.from([0xf1, 0x80, 0, 0, 0, 0])],
    ['of an unknown opcode', Buffer.from([0x8b, 0x80, 0, 0, 0, 0])],
    ['that goes on with nothing', Buffer.from([0x00, 0x81, 0, 0, 0, 0, 65])],
    ['that end in the middle', Buffer.from([0x81, 0xfe, 1])],
    ['of SIP without a frame', text('OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n')],
    ['of NULs', Buffer.alloc(4000)],
  ])('%s harm nobody else', async (_, bytes) => {
    const bad = await s.browser();
    bad.sendRaw(bytes);
    expect((await (await s.webAgent(alice)).register()).status).toBe(200);
    bad.drop();
  });

  it('hide no SIP in fragments: many small ones are put together or refused', async () => {
    const peer = await s.browser();
    const agent = new Agent(peer, s.door, alice);
    const message = agent.registrations.request('OPTIONS');
    const mask = Buffer.alloc(4);
    for (let i = 0; i < message.length; i += 50) {
      const part = text(message.slice(i, i + 50));
      const fin = i + 50 >= message.length ? 0x80 : 0;
      peer.sendRaw(Buffer.concat([Buffer.from([fin | (i === 0 ? 1 : 0), 0x80 | part.length]), mask, part]));
    }
    expect((await agent.registrations.reply('OPTIONS')).message.status).toBe(200);
  });
});

describe('a door with a certificate', () => {
  const authority = new Authority();
  let port = 0;
  const s = agentsStage(async () => {
    port = await freePort();
    return { TLS_CONFIG: `"${tlsConfig(authority, 'browsers')}"`, SIP_LISTEN_4: `tls:127.0.0.1:${port}` };
  });
  afterAll(() => authority.remove());

  it('is open for WebSockets over TLS, and policy hears so', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
    const peer = await WebPeer.open(`wss://127.0.0.1:${port}`, { ca: authority.certificate });
    const agent = new Agent(peer, s.door, alice);
    expect((await agent.register()).status).toBe(200);
    expect(s.policy.questions[0]?.body.transport).toBe('wss');
    expect(header(router.bindings[0]!.request, 'Path')).toContain('op=wss~127.0.0.3~');
    // A call finds the connection, though it came to another socket than the plain one.
    const dialog = router.dialogTo(router.bindings[0]!, s.edge);
    dialog.send('INVITE', { headers: [['X-Callmesh-Tenant', 'acme']] });
    await peer.takeRequest('INVITE');
    peer.drop();
  });

  it('is open for phones over TLS, on the same socket', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
    const phone = await StreamPeer.tls(port, {
      ca: authority.certificate,
      checkServerIdentity: () => undefined,
    });
    const agent = new Agent(phone.asPeer('TLS'), s.door, alice);
    expect((await agent.register()).status).toBe(200);
    expect(s.policy.questions[0]?.body).toMatchObject({ transport: 'tls' });
    const dialog = router.dialogTo(router.bindings[0]!, s.edge);
    dialog.send('INVITE', { headers: [['X-Callmesh-Tenant', 'acme']] });
    const { message } = await agent.peer.takeRequest('INVITE');
    expect(header(message, 'Record-Route')).toContain(`:${port};transport=tls`);
    phone.close();
    await expect.poll(() => router.bindings).toEqual([]);
  });
});

/** What an HTTP request by hand is answered. */
async function http(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString('latin1');
}

function handshake(port: number, headers: readonly string[]): Promise<string> {
  const fixed = [
    'GET / HTTP/1.1',
    'Host: x',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: sip',
  ];
  return http(port, `${[...fixed, ...headers].join('\r\n')}\r\n\r\n`);
}
