import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { call, Dialog } from './caller.ts';
import { FakePolicy, refusal, routeTo } from './fake-policy.ts';
import { Kamailio } from './kamailio.ts';
import { all, header } from './message.ts';
import { fakeNode } from './node.ts';
import { SipPeer } from './peer.ts';

describe('a call from a trunk', () => {
  let edge: Kamailio;
  let policy: FakePolicy;
  let pbx: SipPeer;
  const open: SipPeer[] = [];
  const node = async (...args: Parameters<typeof fakeNode>) => {
    const peer = await fakeNode(...args);
    open.push(peer);
    await edge.nodes([peer.key]);
    return peer;
  };

  beforeAll(async () => {
    edge = await Kamailio.start();
    policy = await FakePolicy.start();
    await edge.policies([policy.url]);
  });
  afterAll(async () => {
    await edge?.stop();
    await policy?.stop();
  });
  beforeEach(async () => {
    pbx = await SipPeer.open('127.0.0.2');
    policy.questions.length = 0;
  });
  afterEach(() => {
    for (const peer of [pbx, ...open.splice(0)]) peer.close();
  });

  it('reaches the node policy chose, with the headers policy set', async () => {
    const target = await node();
    policy.script = () => routeTo([target.key]);
    const dialog = new Dialog(pbx, edge);
    const ok = await call(dialog);
    expect(ok.status).toBe(200);
    const { message: invite } = await target.takeRequest('INVITE');
    expect(header(invite, 'X-Callmesh-Session')).toBe('0123456789abcdef');
    expect(header(invite, 'X-Callmesh-Tenant')).toBe('acme');
    expect(header(invite, 'Record-Route')).toContain('tn=acme');
    await target.takeRequest('ACK');
    expect(policy.questions[0]?.authorization).toBe('Bearer token-of-the-test');
    expect(policy.questions[0]?.body).toMatchObject({
      edge: 'kama-pstn-test',
      call_id: dialog.callId,
      method: 'INVITE',
      source_address: '127.0.0.2',
      source_port: pbx.port,
      transport: 'udp',
      authorization: '',
      tls_subject: '',
      media_behind_nat: false,
    });
    dialog.cseq += 1;
    dialog.send('BYE');
    expect((await dialog.reply('BYE')).message.status).toBe(200);
    await target.takeRequest('BYE');
  });

  it('goes to the next target when a node answers 503', async () => {
    const busy = await node({ status: 503 });
    const target = await node();
    policy.script = () => routeTo([busy.key, target.key]);
    const ok = await call(new Dialog(pbx, edge));
    expect(ok.status).toBe(200);
    const { message: invite } = await target.takeRequest('INVITE');
    expect(header(invite, 'X-Callmesh-Node')).toBe('node-1');
    expect(all(invite, 'X-Callmesh-Node')).toHaveLength(1);
    expect(header(invite, 'Record-Route')).toContain('tn=acme');
  });

  it('goes to the next target when a node says nothing for a second', async () => {
    const silent = await node({ status: 0 });
    const target = await node();
    policy.script = () => routeTo([silent.key, target.key]);
    const started = Date.now();
    const ok = await call(new Dialog(pbx, edge));
    expect(ok.status).toBe(200);
    expect(Date.now() - started).toBeGreaterThan(900);
    expect(Date.now() - started).toBeLessThan(2500);
    await target.takeRequest('INVITE');
  });

  it('is refused as policy says, with the time after which to try again', async () => {
    policy.script = () => refusal(429, 'limit_calls', 503, 'Concurrent Call Limit', { retry_after: 7 });
    const no = await call(new Dialog(pbx, edge));
    expect(no.startLine).toBe('SIP/2.0 503 Concurrent Call Limit');
    expect(header(no, 'Retry-After')).toBe('7');
  });
});
