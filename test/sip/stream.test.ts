import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@callmesh/local';
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
  const folder = mkdtempSync(join(tmpdir(), 'edge-tls-'));
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  let tlsPort = 0;
  const s = stage(async () => {
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=test ca', '-keyout', 'ca.key', '-out', 'ca.pem'],
    );
    for (const name of ['edge', 'acme-pbx']) {
      openssl(
        ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`],
        ...['-keyout', `${name}.key`, '-out', `${name}.csr`],
      );
      openssl(
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
        ...['-days', '2', '-out', `${name}.pem`],
      );
    }
    const lines = ['method = TLSv1.2+', 'verify_certificate = yes', 'require_certificate = no'];
    const keys = [
      `private_key = ${file('edge.key')}`,
      `certificate = ${file('edge.pem')}`,
      `ca_list = ${file('ca.pem')}`,
    ];
    writeFileSync(
      file('tls.cfg'),
      ['[server:default]', ...lines, ...keys, '[client:default]', ''].join('\n'),
    );
    tlsPort = await freePort();
    return { TLS_CONFIG: `"${file('tls.cfg')}"`, SIP_LISTEN_3: `tls:127.0.0.1:${tlsPort}` };
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['with a client certificate is named to policy by it', 'acme-pbx', 'acme-pbx'],
    ['without one is named by nothing', undefined, ''],
  ])('%s', async (_, certificate, subject) => {
    const target = await s.node();
    s.policy.script = () => routeTo([target.key]);
    const client = certificate
      ? { key: readFileSync(file(`${certificate}.key`)), cert: readFileSync(file(`${certificate}.pem`)) }
      : {};
    const peer = await StreamPeer.tls(tlsPort, {
      ...client,
      ca: readFileSync(file('ca.pem')),
      checkServerIdentity: () => undefined,
    });
    await callOver(s, peer, 'tls', target);
    expect(s.policy.questions[0]?.body).toMatchObject({ transport: 'tls', tls_subject: subject });
    peer.close();
  });
});
