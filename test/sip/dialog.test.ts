import { describe, expect, it } from 'vitest';
import { call, Dialog } from './caller.ts';
import { refusal, routeTo } from './fake-policy.ts';
import { header, replyTo, tagOf } from './message.ts';
import { nodeTag } from './node.ts';
import type { SipPeer } from './peer.ts';
import { type Stage, stage } from './stage.ts';

/** A call in progress: the caller's side and the node's side of it. */
async function established(s: Stage, target: SipPeer) {
  s.policy.script = () => routeTo([target.key]);
  const caller = new Dialog(s.pbx, s.edge);
  expect((await call(caller)).status).toBe(200);
  const { message: invite } = await target.takeRequest('INVITE');
  await target.takeRequest('ACK');
  s.policy.questions.length = 0;
  return { caller, node: Dialog.answering(target, s.edge, invite, nodeTag), invite };
}

const inDialog = ['INFO', 'UPDATE', 'REFER', 'PRACK', 'MESSAGE', 'NOTIFY', 'OPTIONS', 'BYE'];

describe('a request within a dialog', () => {
  const s = stage();

  it.each(inDialog)('%s of the caller follows its dialog, and policy is not asked', async (method) => {
    const target = await s.node();
    const { caller } = await established(s, target);
    caller.cseq += 1;
    caller.send(method, { headers: method === 'REFER' ? [['Refer-To', '<sip:200@acme.example>']] : [] });
    expect((await caller.reply(method)).message.status).toBe(200);
    const { message } = await target.takeRequest(method);
    expect(header(message, 'Call-ID')).toBe(caller.callId);
    expect(s.policy.questions).toEqual([]);
  });

  it.each(inDialog)('%s of the node follows its dialog to the caller', async (method) => {
    const target = await s.node();
    const { node } = await established(s, target);
    node.send(method);
    const { message, from } = await s.pbx.takeRequest(method);
    expect(message.uri).toBe(`sip:pbx@${s.pbx.key}`);
    s.pbx.send(replyTo(message, 200, 'OK'), from);
    expect((await node.reply(method)).message.status).toBe(200);
  });

  it('re-INVITE works both ways, with its ACK', async () => {
    const target = await s.node();
    const { caller, node } = await established(s, target);
    caller.cseq += 1;
    caller.send('INVITE');
    caller.confirm((await caller.reply('INVITE')).message);
    await target.takeRequest('INVITE');
    await target.takeRequest('ACK');
    node.send('INVITE');
    const { message, from } = await s.pbx.takeRequest('INVITE');
    s.pbx.send(replyTo(message, 200, 'OK', { contact: `sip:pbx@${s.pbx.key}` }), from);
    const { message: ok } = await node.reply('INVITE');
    node.target = `sip:pbx@${s.pbx.key}`;
    node.send('ACK');
    expect(ok.status).toBe(200);
    await s.pbx.takeRequest('ACK');
    expect(s.policy.questions).toEqual([]);
  });

  it('reaches a caller whose Contact is a private address, where it called from', async () => {
    const target = await s.node();
    s.policy.script = () => routeTo([target.key]);
    const caller = new Dialog(s.pbx, s.edge);
    await call(caller, { contact: 'sip:pbx@10.1.2.3:5060' });
    const { message: invite } = await target.takeRequest('INVITE');
    const node = Dialog.answering(target, s.edge, invite, nodeTag);
    node.send('BYE');
    const { message } = await s.pbx.takeRequest('BYE');
    expect(message.uri).toBe('sip:pbx@10.1.2.3:5060');
  });

  it('goes to a draining node like to any other', async () => {
    const target = await s.node();
    const { caller } = await established(s, target);
    await s.edge.nodes([target.key], 'draining');
    caller.cseq += 1;
    caller.send('INFO');
    expect((await caller.reply('INFO')).message.status).toBe(200);
    expect(s.policy.questions).toEqual([]);
  });

  it('for a node that is down goes where policy says the session moved', async () => {
    const [dead, heir] = [await s.node(), await s.node()];
    const { caller } = await established(s, dead);
    await s.edge.nodes([dead.key], 'down');
    s.policy.script = () => ({ status: 200, body: { node: 'heir', uri: `sip:${heir.key}`, moved: true } });
    caller.cseq += 1;
    caller.send('BYE');
    expect((await caller.reply('BYE')).message.status).toBe(200);
    await heir.takeRequest('BYE');
    expect(dead.count('BYE')).toBe(0);
    expect(s.policy.questions[0]).toMatchObject({
      path: '/v1/routes/dialog',
      body: {
        edge: 'kama-pstn-test',
        call_id: caller.callId,
        tenant: 'acme',
        method: 'BYE',
        node: dead.key,
        from_tag: caller.localTag,
        to_tag: nodeTag,
        source_address: '127.0.0.2',
        source_port: s.pbx.port,
      },
    });
  });

  it('that its node does not react to at all asks policy, too', async () => {
    const [dead, heir] = [await s.node(), await s.node()];
    const { caller } = await established(s, dead);
    dead.handler = undefined;
    s.policy.script = () => ({ status: 200, body: { node: 'heir', uri: `sip:${heir.key}`, moved: true } });
    caller.cseq += 1;
    caller.send('INVITE');
    expect((await caller.reply('INVITE', 200, 5000)).message.status).toBe(200);
    await heir.takeRequest('INVITE');
  });

  it('that its node knows nothing of, since it restarted, asks policy, too', async () => {
    const [restarted, heir] = [await s.node(), await s.node()];
    const { caller } = await established(s, restarted);
    restarted.handler = (message, from) =>
      message.method && restarted.send(replyTo(message, 481, 'Unknown', { toTag: nodeTag }), from);
    s.policy.script = () => ({ status: 200, body: { node: 'heir', uri: `sip:${heir.key}`, moved: true } });
    caller.cseq += 1;
    caller.send('BYE');
    expect((await caller.reply('BYE')).message.status).toBe(200);
    await heir.takeRequest('BYE');
  });

  it('is one node’s: what it was taken over from neither ends it nor takes it back', async () => {
    const [frozen, heir] = [await s.node(), await s.node()];
    const { node, invite } = await established(s, frozen);
    const resumed = Dialog.answering(heir, s.edge, invite, nodeTag);
    resumed.cseq = 1_000_000;
    resumed.send('INVITE');
    const { message, from } = await s.pbx.takeRequest('INVITE');
    s.pbx.send(replyTo(message, 200, 'OK', { contact: `sip:pbx@${s.pbx.key}` }), from);
    await resumed.reply('INVITE');
    for (const method of ['INVITE', 'BYE']) {
      node.cseq += 1;
      node.send(method);
      expect((await node.reply(method)).message.status).toBe(481);
    }
    resumed.cseq += 1;
    resumed.send('BYE');
    const { message: bye, from: edge } = await s.pbx.takeRequest('BYE');
    expect(header(bye, 'CSeq')).toBe('1000001 BYE');
    s.pbx.send(replyTo(bye, 200, 'OK'), edge);
    expect((await resumed.reply('BYE')).message.status).toBe(200);
  });

  it('of a session that is gone is refused with 481', async () => {
    const dead = await s.node();
    const { caller } = await established(s, dead);
    await s.edge.nodes([dead.key], 'down');
    s.policy.script = () => refusal(404, 'session_gone', 481, 'Call/Transaction Does Not Exist');
    caller.cseq += 1;
    caller.send('BYE');
    expect((await caller.reply('BYE')).message.status).toBe(481);
  });

  it('is told to try again when nobody can say where the session moved', async () => {
    const dead = await s.node();
    const { caller } = await established(s, dead);
    await s.edge.nodes([dead.key], 'down');
    await s.edge.policies([]);
    caller.cseq += 1;
    caller.send('BYE');
    const { message } = await caller.reply('BYE');
    expect(message.status).toBe(503);
    expect(header(message, 'Retry-After')).toBe('1');
  });

  it('is not relayed to where policy says when that is no known node', async () => {
    const dead = await s.node();
    const stranger = await s.party('127.0.0.9');
    const { caller } = await established(s, dead);
    await s.edge.nodes([dead.key], 'down');
    s.policy.script = () => ({ status: 200, body: { node: 'x', uri: `sip:${stranger.key}`, moved: true } });
    caller.cseq += 1;
    caller.send('BYE');
    expect((await caller.reply('BYE')).message.status).toBe(503);
    expect(stranger.received).toHaveLength(0);
  });
});

describe('a dialog that is not the sender’s', () => {
  const s = stage();

  it('a request with tags but no Route is refused', async () => {
    const target = await s.node();
    const { caller } = await established(s, target);
    const stranger = new Dialog(await s.party('127.0.0.7'), s.edge);
    stranger.remoteTag = nodeTag;
    stranger.target = caller.target;
    stranger.send('BYE');
    expect((await stranger.reply('BYE')).message.status).toBe(481);
    expect(target.count('BYE')).toBe(0);
  });

  it.each([
    ['without our signature', () => ['lr']],
    [
      'with a made-up signature',
      () => ['lr', 'tn=acme', 'op=udp~127.0.0.7~5060', 'ma=0', `sg=${'0'.repeat(32)}`],
    ],
  ])('a Route naming us %s is refused', async (_, parameters) => {
    const target = await s.node();
    const { caller } = await established(s, target);
    const stranger = new Dialog(await s.party('127.0.0.7'), s.edge);
    stranger.remoteTag = nodeTag;
    stranger.target = caller.target;
    stranger.routes = [`<sip:127.0.0.1:${s.edge.port};${parameters().join(';')}>`];
    stranger.send('BYE');
    expect((await stranger.reply('BYE')).message.status).toBe(403);
    expect(target.count('BYE')).toBe(0);
  });

  it('a Route signed for another call is refused', async () => {
    const target = await s.node();
    const { caller } = await established(s, target);
    const stranger = new Dialog(await s.party('127.0.0.7'), s.edge);
    Object.assign(stranger, { remoteTag: nodeTag, target: caller.target, routes: caller.routes });
    stranger.send('BYE');
    expect((await stranger.reply('BYE')).message.status).toBe(403);
    expect(target.count('BYE')).toBe(0);
  });

  it.each([
    ['a foreign', 'sip:victim@192.0.2.1:5060'],
    ['an internal', 'sip:victim@127.0.0.1:22'],
    ['the edge’s own', 'sip:victim@EDGE'],
  ])('a request of a good dialog to %s address is refused', async (_, uri) => {
    const target = await s.node();
    const { caller } = await established(s, target);
    caller.target = uri.replace('EDGE', `127.0.0.1:${s.edge.port}`);
    caller.cseq += 1;
    caller.send('INFO');
    expect((await caller.reply('INFO')).message.status).toBe(403);
  });

  it('a second Route to an internal address is refused', async () => {
    const target = await s.node();
    const stranger = await s.party('127.0.0.9');
    const { caller } = await established(s, target);
    caller.routes = [...caller.routes, `<sip:${stranger.key};lr>`];
    caller.cseq += 1;
    caller.send('INFO');
    expect((await caller.reply('INFO')).message.status).toBe(403);
    expect(stranger.received).toHaveLength(0);
  });

  it.each(['<sip:192.0.2.1;lr>', '<sip:127.0.0.1:22;lr>', '<sip:EDGE;lr>, <sip:127.0.0.1:22;lr>'])(
    'a new call with Route %s is refused',
    async (route) => {
      const value = route.replace('EDGE', `127.0.0.1:${s.edge.port}`);
      const no = await call(new Dialog(s.pbx, s.edge), { headers: [['Route', value]] });
      expect(no.status).toBe(403);
      expect(s.policy.questions).toEqual([]);
    },
  );

  it('a new call that names us as outbound proxy is taken', async () => {
    const target = await s.node();
    s.policy.script = () => routeTo([target.key]);
    const route = `<sip:127.0.0.1:${s.edge.port};lr>`;
    expect((await call(new Dialog(s.pbx, s.edge), { headers: [['Route', route]] })).status).toBe(200);
    expect(header((await target.takeRequest('INVITE')).message, 'Route')).toBe('');
  });

  it('a node’s request never goes where the caller’s Contact or Record-Route points', async () => {
    const target = await s.node();
    const victim = await s.party('127.0.0.9');
    s.policy.script = () => routeTo([target.key]);
    const caller = new Dialog(s.pbx, s.edge);
    await call(caller, {
      contact: `sip:victim@${victim.key}`,
      headers: [['Record-Route', `<sip:${victim.key};lr>`]],
    });
    const node = Dialog.answering(target, s.edge, (await target.takeRequest('INVITE')).message, nodeTag);
    node.send('BYE');
    await s.pbx.takeRequest('BYE');
    expect(victim.received).toHaveLength(0);
  });

  it('a reply to nothing is not passed on', async () => {
    const victim = await s.party('127.0.0.9');
    const vias = [
      `SIP/2.0/UDP 127.0.0.1:${s.edge.port};branch=z9hG4bKx`,
      `SIP/2.0/UDP ${victim.key};branch=z9hG4bKy`,
    ];
    const text = new Dialog(s.pbx, s.edge).request('INVITE').replace(/^INVITE .*\r\n/, 'SIP/2.0 200 OK\r\n');
    s.pbx.send(text.replace(/^Via: .*$/m, vias.map((via) => `Via: ${via}`).join('\r\n')), s.edge);
    const probe = new Dialog(s.pbx, s.edge);
    probe.send('OPTIONS');
    await probe.reply('OPTIONS');
    expect(victim.received).toHaveLength(0);
    expect(await s.edge.metric('callmesh_dropped_total', '{reason="stray_reply"}')).toBe(1);
  });
});

describe('a call a node places', () => {
  const s = stage();

  it('reaches a trunk in the table, and its dialog works both ways', async () => {
    const origin = await s.node();
    await s.edge.rpc('htable.sets', ['trunkdest', s.pbx.key, 'acme|acme-pbx|never']);
    const node = new Dialog(origin, s.edge, { from: 'sip:agent@callmesh' });
    node.target = `sip:4989777@${s.pbx.key}`;
    node.send('INVITE', { headers: [['X-Callmesh-Tenant', 'acme']] });
    const { message: invite, from } = await s.pbx.takeRequest('INVITE');
    expect(header(invite, 'X-Callmesh-Tenant')).toBe('');
    s.pbx.send(replyTo(invite, 200, 'OK', { toTag: 'pbx', contact: `sip:pbx@${s.pbx.key}` }), from);
    const { message: ok } = await node.reply('INVITE');
    node.confirm(ok);
    await s.pbx.takeRequest('ACK');
    const pbx = Dialog.answering(s.pbx, s.edge, invite, 'pbx');
    expect(tagOf(header(ok, 'To'))).toBe('pbx');
    pbx.send('BYE');
    expect((await pbx.reply('BYE')).message.status).toBe(200);
    await origin.takeRequest('BYE');
    expect(s.policy.questions).toEqual([]);
  });

  it.each(['sip:x@192.0.2.1:5060', 'sip:x@127.0.0.1:22', 'sip:x@example.invalid'])(
    'to %s, no trunk of ours, is refused',
    async (uri) => {
      const node = new Dialog(await s.node(), s.edge);
      node.target = uri;
      node.send('INVITE');
      expect((await node.reply('INVITE')).message.status).toBe(403);
    },
  );

  it('over another tenant’s trunk is refused', async () => {
    await s.edge.rpc('htable.sets', ['trunkdest', s.pbx.key, 'acme|acme-pbx|never']);
    const node = new Dialog(await s.node(), s.edge);
    node.target = `sip:4989777@${s.pbx.key}`;
    node.send('INVITE', { headers: [['X-Callmesh-Tenant', 'other']] });
    expect((await node.reply('INVITE')).message.status).toBe(403);
    expect(s.pbx.count('INVITE')).toBe(0);
  });

  it('cannot be placed by somebody outside who knows the trunk', async () => {
    await s.edge.rpc('htable.sets', ['trunkdest', s.pbx.key, 'acme|acme-pbx|never']);
    s.policy.script = () => refusal(403, 'unknown_trunk', 403, 'Unknown Trunk');
    const stranger = new Dialog(await s.party('127.0.0.7'), s.edge);
    stranger.target = `sip:4989777@${s.pbx.key}`;
    expect((await call(stranger)).status).toBe(403);
    expect(s.pbx.count('INVITE')).toBe(0);
  });
});
