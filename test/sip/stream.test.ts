import type { ConnectionOptions } from 'node:tls';
import { Authority, freePort, tlsConfig } from '@callmesh/local';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Dialog } from './caller.ts';
import { routeTo } from './fake-policy.ts';
import { all, build, header, replyTo, type SipMessage, tagOf, uriOf } from './message.ts';
import { nodeTag } from './node.ts';
import type { SipPeer } from './peer.ts';
import { type Stage, stage } from './stage.ts';
import { StreamPeer } from './stream-peer.ts';

/** A call over one connection, answered and acknowledged, then ended by the node. */
async function callOver(s: Stage, peer: StreamPeer, transport: string, target: SipPeer): Promise<SipMessage> {
  const to = `<sip:4930123456@127.0.0.1:${s.edge.port}>`;
  const request = (
    method: string,
    uri: string,
    extra: ReadonlyArray<readonly [string, string]>,
    toTag = '',
  ) =>
    build(`${method} ${uri} SIP/2.0`, [
      ['Via', `SIP/2.0/${transport.toUpperCase()} ${peer.key};branch=z9hG4bK${Math.random()}`],
      ...extra,
      ['Max-Forwards', '70'],
      ['From', '<sip:4989777@acme.example>;tag=pbx'],
      ['To', to + toTag],
      ['Call-ID', `${Math.random()}-${transport}@test`],
      ['CSeq', `1 ${method}`],
      ['Contact', `<sip:pbx@${peer.key};transport=${transport}>`],
    ]);
  const invite = request('INVITE', `sip:4930123456@127.0.0.1:${s.edge.port}`, []);
  peer.send(invite);
  const ok = await peer.take('200', (m) => m.status === 200);
  const { message: seen } = await target.takeRequest('INVITE');
  const routes = all(ok, 'Record-Route').reverse();
  const ack = request(
    'ACK',
    uriOf(header(ok, 'Contact')),
    routes.map((route) => ['Route', route] as const),
  );
  peer.send(
    ack
      .replace(/^Call-ID: .*$/m, `Call-ID: ${header(ok, 'Call-ID')}`)
      .replace(/^To: .*$/m, `To: ${header(ok, 'To')}`),
  );
  await target.takeRequest('ACK');
  expect(tagOf(header(ok, 'To'))).toBe(nodeTag);

  const node = Dialog.answering(target, s.edge, seen, nodeTag);
  node.routes = all(seen, 'Record-Route');
  node.send('BYE');
  const bye = await peer.take('BYE', (m) => m.method === 'BYE');
  peer.send(replyTo(bye, 200, 'OK'));
  expect((await node.reply('BYE')).message.status).toBe(200);
  return ok;
}

describe('a trunk over TCP', () => {
  const s = stage();
  const open: StreamPeer[] = [];
  afterEach(() => {
    for (const peer of open.splice(0)) peer.close();
  });
  const connection = async () => {
    const peer = await StreamPeer.tcp(s.edge.port);
    open.push(peer);
    return peer;
  };

  it('places a call to a node on UDP, and gets the node’s BYE over its own connection', async () => {
    const target = await s.node();
    s.policy.script = () => routeTo([target.key]);
    await callOver(s, await connection(), 'tcp', target);
    expect(s.policy.questions[0]?.body).toMatchObject({ transport: 'tcp', source_address: '127.0.0.2' });
  });

  it('that sends no SIP is cut off, and others are not', async () => {
    const [bad, good] = [await connection(), await connection()];
    bad.send(`INVITE sip:x@y SIP/2.0\r\nContent-Length: 99999999\r\n\r\n${'x'.repeat(500_000)}`);
    const target = await s.node();
    s.policy.script = () => routeTo([target.key]);
    await callOver(s, good, 'tcp', target);
    await expect.poll(() => bad.closed, { timeout: 5000 }).toBe(true);
  });
});

describe('a trunk over TLS', () => {
  const authority = new Authority();
  let tlsPort = 0;
  const s = stage(async () => {
    tlsPort = await freePort();
    return { TLS_CONFIG: `"${tlsConfig(authority)}"`, SIP_LISTEN_3: `tls:127.0.0.1:${tlsPort}` };
  });
  afterAll(() => authority.remove());
  const connection = (client: ConnectionOptions) =>
    StreamPeer.tls(tlsPort, { ...client, ca: authority.certificate, checkServerIdentity: () => undefined });

  it.each([
    ['by its alternative name', 'some-pbx', 'DNS:pbx.acme.example', 'pbx.acme.example'],
    ['by its alternative URI', 'some-pbx', 'URI:sip:acme.example', 'sip:acme.example'],
    ['by its common name where it has no other', 'pbx.acme.example', '', 'pbx.acme.example'],
  ])('is named to policy by its certificate, %s', async (_, name, alternatives, subject) => {
    const target = await s.node();
    s.policy.script = () => routeTo([target.key]);
    const peer = await connection(authority.issue(name, alternatives));
    await callOver(s, peer, 'tls', target);
    expect(s.policy.questions[0]?.body).toMatchObject({ transport: 'tls', tls_subject: subject });
    peer.close();
  });

  it('without a certificate has no name', async () => {
    const target = await s.node();
    s.policy.script = () => routeTo([target.key]);
    const peer = await connection({});
    await callOver(s, peer, 'tls', target);
    expect(s.policy.questions[0]?.body.tls_subject).toBe('');
    peer.close();
  });

  it('with a certificate of another authority gets no connection', async () => {
    const other = new Authority();
    const peer = await connection(other.issue('pbx.acme.example')).catch(() => undefined);
    other.remove();
    // TLS 1.3 tells the client only after its handshake.
    if (peer) await expect.poll(() => peer.closed, { timeout: 4000 }).toBe(true);
    expect(s.policy.questions).toEqual([]);
  });
});
