import { freePort } from '@callmesh/local';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { call, Dialog } from './caller.ts';
import { routeTo } from './fake-policy.ts';
import { replyTo, type SipMessage, sdp } from './message.ts';
import { nodeTag } from './node.ts';
import type { SipPeer } from './peer.ts';
import { RtpEnd } from './rtp.ts';
import { Rtpengine, relays } from './rtpengine.ts';
import { type Stage, stage } from './stage.ts';

const portOf = (message: SipMessage) => Number(/m=audio (\d+)/.exec(message.body)?.[1]);
const addressOf = (message: SipMessage) => /c=IN IP4 (\S+)/.exec(message.body)?.[1];

describe('media', () => {
  let engine: Rtpengine;
  const s = stage(async () => {
    engine = await Rtpengine.start();
    return relays(engine.url);
  });
  const ends: RtpEnd[] = [];
  const end = async (address: string) => {
    const made = await RtpEnd.open(address);
    ends.push(made);
    return made;
  };
  afterEach(() => {
    for (const made of ends.splice(0)) made.close();
  });
  afterAll(() => engine?.stop());

  /** A call in which both sides have a real RTP port. */
  async function established(rtpengine: 'auto' | 'always' | 'never', offerAddress = '127.0.0.2') {
    const [pbxRtp, nodeRtp] = [await end('127.0.0.2'), await end('127.0.0.1')];
    const target = await answering(s, nodeRtp);
    s.policy.script = () => routeTo([target.key], { rtpengine });
    const caller = new Dialog(s.pbx, s.edge);
    const ok = await call(caller, { body: sdp(offerAddress, pbxRtp.port) });
    expect(ok.status).toBe(200);
    const { message: invite } = await target.takeRequest('INVITE');
    return { pbxRtp, nodeRtp, target, caller, ok, invite };
  }

  it('is anchored when policy says always: audio passes both ways through rtpengine', async () => {
    const { pbxRtp, nodeRtp, ok, invite, caller } = await established('always');
    expect(portOf(invite)).not.toBe(pbxRtp.port);
    expect(portOf(ok)).not.toBe(nodeRtp.port);
    expect(addressOf(invite)).toBe('127.0.0.1');
    await heard(pbxRtp, nodeRtp, portOf(ok), 'from the pbx');
    await heard(nodeRtp, pbxRtp, portOf(invite), 'from the node');
    caller.cseq += 1;
    caller.send('BYE');
    expect((await caller.reply('BYE')).message.status).toBe(200);
    expect(await engine.commands('delete')).toBe(1);
  });

  it('is left alone when policy says never', async () => {
    const { pbxRtp, nodeRtp, ok, invite } = await established('never', '10.1.2.3');
    expect(portOf(invite)).toBe(pbxRtp.port);
    expect(portOf(ok)).toBe(nodeRtp.port);
  });

  it('is left alone on auto when the SDP names where the call came from', async () => {
    const { pbxRtp, invite } = await established('auto');
    expect(portOf(invite)).toBe(pbxRtp.port);
    expect(s.policy.questions[0]?.body.media_behind_nat).toBe(false);
  });

  it('is anchored on auto when the SDP names a private address', async () => {
    const { pbxRtp, nodeRtp, ok, invite } = await established('auto', '10.1.2.3');
    expect(s.policy.questions[0]?.body.media_behind_nat).toBe(true);
    expect(addressOf(invite)).toBe('127.0.0.1');
    // 10.1.2.3 is nowhere: what rtpengine learns from the caller's packets counts.
    await heard(pbxRtp, nodeRtp, portOf(ok), 'from behind NAT');
    await heard(nodeRtp, pbxRtp, portOf(invite), 'to behind NAT');
  });

  it('stays anchored through a re-INVITE of either side', async () => {
    const { pbxRtp, nodeRtp, target, caller, invite } = await established('always');
    caller.cseq += 1;
    caller.send('INVITE', { body: sdp('127.0.0.2', pbxRtp.port) });
    const { message: again } = await caller.reply('INVITE');
    caller.confirm(again);
    const { message: reinvite } = await target.takeRequest('INVITE');
    expect(portOf(reinvite)).not.toBe(pbxRtp.port);
    await heard(pbxRtp, nodeRtp, portOf(again), 'after the re-INVITE');

    const node = Dialog.answering(target, s.edge, invite, nodeTag);
    node.send('INVITE', { body: sdp('127.0.0.1', nodeRtp.port) });
    const { message, from } = await s.pbx.takeRequest('INVITE');
    expect(portOf(message)).not.toBe(nodeRtp.port);
    const body = sdp('127.0.0.2', pbxRtp.port);
    s.pbx.send(replyTo(message, 200, 'OK', { contact: `sip:pbx@${s.pbx.key}`, body }), from);
    const { message: ok } = await node.reply('INVITE');
    expect(portOf(ok)).not.toBe(pbxRtp.port);
    await heard(nodeRtp, pbxRtp, portOf(ok), 'after the re-INVITE of the node');
  });

  it('is anchored when the offer comes in the 200 and the answer in the ACK', async () => {
    const [pbxRtp, nodeRtp] = [await end('127.0.0.2'), await end('127.0.0.1')];
    const target = await answering(s, nodeRtp);
    s.policy.script = () => routeTo([target.key], { rtpengine: 'always' });
    const caller = new Dialog(s.pbx, s.edge);
    caller.send('INVITE');
    const { message: ok } = await caller.reply('INVITE');
    expect(portOf(ok)).not.toBe(nodeRtp.port);
    caller.confirm(ok, { body: sdp('127.0.0.2', pbxRtp.port) });
    const { message: ack } = await target.takeRequest('ACK');
    expect(portOf(ack)).not.toBe(pbxRtp.port);
    await heard(pbxRtp, nodeRtp, portOf(ok), 'late from the pbx');
    await heard(nodeRtp, pbxRtp, portOf(ack), 'late from the node');
  });

  it('of a refused re-INVITE stays as it was', async () => {
    const { pbxRtp, nodeRtp, target, caller, ok } = await established('always');
    target.handler = (message, from) => {
      if (message.method === 'INVITE') target.send(replyTo(message, 488, 'Not Acceptable Here'), from);
    };
    caller.cseq += 1;
    caller.send('INVITE', { body: sdp('127.0.0.2', pbxRtp.port) });
    const { message } = await caller.reply('INVITE');
    expect(message.status).toBe(488);
    caller.acknowledgeRefusal(message);
    await heard(pbxRtp, nodeRtp, portOf(ok), 'still there');
  });

  it('of a call that comes to nothing is given back', async () => {
    const before = await engine.commands('delete');
    const busy = await s.node({ status: 486 });
    s.policy.script = () => routeTo([busy.key], { rtpengine: 'always' });
    expect((await call(new Dialog(s.pbx, s.edge), { body: sdp('127.0.0.2', 40000) })).status).toBe(486);
    expect(await engine.commands('delete')).toBe(before + 1);
  });

  it('is offered to the second target as to the first', async () => {
    const busy = await s.node({ status: 503 });
    const nodeRtp = await end('127.0.0.1');
    const target = await answering(s, nodeRtp);
    s.policy.script = () => routeTo([busy.key, target.key], { rtpengine: 'always' });
    const ok = await call(new Dialog(s.pbx, s.edge), { body: sdp('127.0.0.2', 40000) });
    expect(portOf(ok)).not.toBe(nodeRtp.port);
    expect(portOf((await target.takeRequest('INVITE')).message)).not.toBe(40000);
  });
});

describe('without the rtpengine that was configured', () => {
  const s = stage(async () => relays(`udp:127.0.0.1:${await freePort()}`));

  it('a call is connected all the same, and the failure is counted', async () => {
    const target = await s.node();
    s.policy.script = () => routeTo([target.key], { rtpengine: 'always' });
    for (let i = 0; i < 3; i++) {
      expect((await call(new Dialog(s.pbx, s.edge), { body: sdp('127.0.0.2', 40000) })).status).toBe(200);
    }
    expect(await s.edge.metric('callmesh_media_failures_total')).toBeGreaterThan(0);
  });
});

/** A node that answers INVITEs with the SDP of this RTP end. */
async function answering(s: Stage, rtp: RtpEnd): Promise<SipPeer> {
  const target = await s.node();
  const usual = target.handler;
  target.handler = (message, from) => {
    if (message.method !== 'INVITE') return usual?.(message, from);
    const contact = `sip:node@${target.key}`;
    const body = sdp('127.0.0.1', rtp.port);
    target.send(replyTo(message, 200, 'OK', { toTag: nodeTag, contact, body }), from);
  };
  return target;
}

/** Sends until the other end hears it: the first packets of a stream may teach the relay only. */
async function heard(from: RtpEnd, to: RtpEnd, port: number, text: string): Promise<void> {
  await expect
    .poll(
      () => {
        from.send(text, port);
        return to.received.includes(text);
      },
      { timeout: 3000, interval: 20 },
    )
    .toBe(true);
}
