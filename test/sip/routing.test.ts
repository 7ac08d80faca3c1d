import { describe, expect, it } from 'vitest';
import { call, Dialog } from './caller.ts';
import { refusal, routeTo } from './fake-policy.ts';
import { token } from './kamailio.ts';
import { all, header, replyTo } from './message.ts';
import { nodeTag } from './node.ts';
import { stage } from './stage.ts';

describe('a call from a trunk', () => {
  const s = stage();

  it('reaches the node policy chose, with the headers policy set', async () => {
    const target = await s.node();
    s.policy.script = () => routeTo([target.key]);
    const dialog = new Dialog(s.pbx, s.edge);
    expect((await call(dialog)).status).toBe(200);
    const { message: invite } = await target.takeRequest('INVITE');
    expect(invite.uri).toBe(`sip:4930123456@${target.key}`);
    expect(header(invite, 'X-Callmesh-Session')).toBe('0123456789abcdef');
    expect(header(invite, 'X-Callmesh-Tenant')).toBe('acme');
    await target.takeRequest('ACK');
    expect(s.policy.questions[0]?.authorization).toBe(`Bearer ${token}`);
    expect(s.policy.questions[0]?.body).toEqual({
      edge: 'kama-pstn-test',
      call_id: dialog.callId,
      method: 'INVITE',
      from_uri: 'sip:4989777@127.0.0.2',
      to_uri: `sip:4930123456@127.0.0.1:${s.edge.port}`,
      request_uri: `sip:4930123456@127.0.0.1:${s.edge.port}`,
      source_address: '127.0.0.2',
      source_port: s.pbx.port,
      transport: 'udp',
      authorization: '',
      user_agent: '',
      tls_subject: '',
      media_behind_nat: false,
    });
    dialog.cseq += 1;
    dialog.send('BYE');
    expect((await dialog.reply('BYE')).message.status).toBe(200);
    await target.takeRequest('BYE');
  });

  it('says who calls as policy does, whatever the PBX asserts', async () => {
    const target = await s.node();
    const answer = routeTo([target.key]);
    const { routes } = answer.body as { routes: { headers: { extra: string } }[] };
    routes[0]!.headers.extra += 'P-Asserted-Identity: <sip:+4930100@acme.example>\r\n';
    s.policy.script = () => answer;
    const forged = [['P-Asserted-Identity', '<sip:+49110@acme.example>']] as const;
    expect((await call(new Dialog(s.pbx, s.edge), { headers: forged })).status).toBe(200);
    const { message: invite } = await target.takeRequest('INVITE');
    expect(all(invite, 'P-Asserted-Identity')).toEqual(['<sip:+4930100@acme.example>']);
  });

  it('goes to the next target when a node answers 503', async () => {
    const busy = await s.node({ status: 503 });
    const target = await s.node();
    s.policy.script = () => routeTo([busy.key, target.key]);
    expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(200);
    const { message: invite } = await target.takeRequest('INVITE');
    expect(all(invite, 'X-Callmesh-Node')).toEqual(['node-1']);
    expect(header(invite, 'Record-Route')).toContain('tn=acme');
  });

  it('goes to the next target when a node says nothing for a second', async () => {
    const silent = await s.node({ status: 0 });
    const target = await s.node();
    s.policy.script = () => routeTo([silent.key, target.key]);
    const started = Date.now();
    expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(200);
    expect(Date.now() - started).toBeGreaterThan(700);
    expect(Date.now() - started).toBeLessThan(2500);
    await target.takeRequest('INVITE');
  });

  it('gets a node’s 486 as it is, and nobody else is tried', async () => {
    const busy = await s.node({ status: 486 });
    const other = await s.node();
    s.policy.script = () => routeTo([busy.key, other.key]);
    expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(486);
    expect(other.count('INVITE')).toBe(0);
  });

  it('that has rung is not moved when the node then answers 500', async () => {
    const ringing = await s.node({ ringOnly: true });
    const other = await s.node();
    s.policy.script = () => routeTo([ringing.key, other.key]);
    const dialog = new Dialog(s.pbx, s.edge);
    dialog.send('INVITE');
    await dialog.reply('INVITE', 180);
    const { message: invite, from } = await ringing.takeRequest('INVITE');
    ringing.send(replyTo(invite, 500, 'Server Internal Error', { toTag: nodeTag }), from);
    expect((await dialog.reply('INVITE')).message.status).toBe(500);
    expect(other.count('INVITE')).toBe(0);
  });

  it('is told to try again later when every target failed', async () => {
    const first = await s.node({ status: 503 });
    const second = await s.node({ status: 500 });
    s.policy.script = () => routeTo([first.key, second.key]);
    const no = await call(new Dialog(s.pbx, s.edge));
    expect(no.startLine).toBe('SIP/2.0 503 No Node Took the Call');
    expect(Number(header(no, 'Retry-After'))).toBeGreaterThan(0);
  });

  it('never goes to a target that is not in the table of nodes', async () => {
    const stranger = await s.party('127.0.0.9');
    const target = await s.node();
    s.policy.script = () => routeTo([stranger.key, target.key]);
    expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(200);
    expect(stranger.received).toEqual([]);
  });

  it('is refused as policy says, with the time after which to try again', async () => {
    s.policy.script = () => refusal(429, 'limit_calls', 503, 'Concurrent Call Limit', { retry_after: 7 });
    const no = await call(new Dialog(s.pbx, s.edge));
    expect(no.startLine).toBe('SIP/2.0 503 Concurrent Call Limit');
    expect(header(no, 'Retry-After')).toBe('7');
    expect(await s.edge.metric('callmesh_refused_total', '{reason="limit_calls"}')).toBe(1);
  });

  it('from an unknown trunk is refused with 403', async () => {
    s.policy.script = () => refusal(403, 'unknown_trunk', 403, 'Unknown Trunk');
    expect((await call(new Dialog(s.pbx, s.edge))).startLine).toBe('SIP/2.0 403 Unknown Trunk');
  });

  it('asks policy once however often its INVITE is retransmitted', async () => {
    const target = await s.node();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    s.policy.script = async () => {
      await held;
      return routeTo([target.key]);
    };
    const dialog = new Dialog(s.pbx, s.edge);
    const invite = dialog.request('INVITE', { branch: 'same' });
    for (let i = 0; i < 5; i++) s.pbx.send(invite, s.edge);
    await dialog.reply('INVITE', 100);
    s.pbx.send(invite, s.edge);
    release();
    dialog.confirm((await dialog.reply('INVITE')).message);
    s.pbx.send(invite, s.edge);
    await dialog.reply('INVITE');
    expect(s.policy.questions).toHaveLength(1);
    expect(target.count('INVITE')).toBe(1);
  });

  it('cancelled while policy is being asked gets 487 and reaches no node', async () => {
    const target = await s.node();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    s.policy.script = async () => {
      await held;
      return routeTo([target.key]);
    };
    const dialog = new Dialog(s.pbx, s.edge);
    dialog.send('INVITE', { branch: 'gone' });
    await dialog.reply('INVITE', 100);
    dialog.send('CANCEL', { branch: 'gone' });
    expect((await dialog.reply('CANCEL')).message.status).toBe(200);
    const { message } = await dialog.reply('INVITE');
    expect(message.status).toBe(487);
    dialog.acknowledgeRefusal(message);
    release();
    // The next call proves that the late answer was digested, and that nothing came of it.
    s.policy.script = () => routeTo([target.key]);
    const next = new Dialog(s.pbx, s.edge);
    await call(next);
    expect(target.count('INVITE')).toBe(1);
    expect(header((await target.takeRequest('INVITE')).message, 'Call-ID')).toBe(next.callId);
  });

  it('cancelled while it rings cancels the node', async () => {
    const target = await s.node({ ringOnly: true });
    const other = await s.node();
    s.policy.script = () => routeTo([target.key, other.key]);
    const dialog = new Dialog(s.pbx, s.edge);
    dialog.send('INVITE', { branch: 'ring' });
    await dialog.reply('INVITE', 180);
    const { message: invite, from } = await target.takeRequest('INVITE');
    dialog.send('CANCEL', { branch: 'ring' });
    await target.takeRequest('CANCEL');
    target.send(replyTo(invite, 487, 'Request Terminated', { toTag: nodeTag }), from);
    expect((await dialog.reply('INVITE')).message.status).toBe(487);
    expect(other.count('INVITE')).toBe(0);
  });

  it('is asked about again, and goes on, when the first policy instance fails it', async () => {
    const target = await s.node();
    s.policy.script = () => routeTo([target.key]);
    await s.edge.policies(['http://127.0.0.1:9', s.policy.url]);
    for (let i = 0; i < 4; i++) expect((await call(new Dialog(s.pbx, s.edge))).status).toBe(200);
    expect(s.policy.questions).toHaveLength(4);
    expect(await s.edge.metric('callmesh_fallback_total')).toBe(0);
  });
});

describe('what is no call', () => {
  const s = stage();

  it('OPTIONS is answered: the door is open', async () => {
    const dialog = new Dialog(s.pbx, s.edge);
    dialog.send('OPTIONS');
    expect((await dialog.reply('OPTIONS')).message.status).toBe(200);
  });

  it.each(['REGISTER', 'SUBSCRIBE', 'PUBLISH', 'MESSAGE', 'NOTIFY'])(
    '%s is not for this door',
    async (method) => {
      const dialog = new Dialog(s.pbx, s.edge);
      dialog.send(method);
      const { message } = await dialog.reply(method);
      expect(message.status).toBe(405);
      expect(header(message, 'Allow')).toContain('INVITE');
    },
  );

  it.each(['BYE', 'INFO', 'UPDATE', 'CANCEL'])('%s of no dialog is refused with 481', async (method) => {
    const dialog = new Dialog(s.pbx, s.edge);
    dialog.send(method);
    expect((await dialog.reply(method)).message.status).toBe(481);
  });

  it('counts are served on the metrics port, and only there', async () => {
    const health = await fetch(`${s.edge.metricsUrl}/health`);
    expect(await health.text()).toBe('ok\n');
    expect((await fetch(`http://127.0.0.1:${s.edge.port}/metrics`)).status).toBe(403);
    expect((await fetch(`${s.edge.metricsUrl}/secret`)).status).toBe(404);
    expect(await s.edge.metric('callmesh_refused_total', '{reason="no_transaction"}')).toBe(1);
  });
});
