import { afterEach, describe, expect, it } from 'vitest';
import { listedDevices } from '../../../services/node-agent/src/domain/registrations/listing.ts';
import { runApi } from '../esl/api.ts';
import { soon } from '../soon.test-support.ts';
import { Ear, Uac } from '../uac.ts';
import { type NodeOptions, StandinNode } from './node.ts';
import { applySettings, DEFAULTS } from './settings.ts';

const nodes: StandinNode[] = [];
const uacs: Uac[] = [];
afterEach(() => {
  for (const uac of uacs.splice(0)) uac.close();
  for (const node of nodes.splice(0)) node.kill();
});

async function start(options: Partial<NodeOptions> = {}): Promise<StandinNode> {
  const node = await StandinNode.start({ id: 'fs-1', ...options });
  nodes.push(node);
  return node;
}

async function caller(): Promise<Uac> {
  const uac = await Uac.open();
  uacs.push(uac);
  return uac;
}

const dial = (uac: Uac, node: StandinNode, more = {}) =>
  uac.call({ proxy: node.sip, to: 'sip:1000@acme', ...more });

describe('a call', () => {
  it('is answered, and says which node took it', async () => {
    const [uac, node] = [await caller(), await start({ id: 'fs-media-a1', settings: { ringing: true } })];
    const call = dial(uac, node);
    expect(await call.outcome).toMatchObject({
      status: 200,
      node: 'fs-media-a1',
      statuses: [100, 180, 200],
      attempts: 1,
    });
    await call.bye();
    expect(node.channels.size).toBe(0);
  });

  it('is answered after the delay, and hung up after its time, as set', async () => {
    const [uac, node] = [await caller(), await start({ settings: { answerDelayMs: 80, hangupAfterMs: 60 } })];
    const call = dial(uac, node);
    expect((await call.outcome).setupMs).toBeGreaterThan(75);
    expect((await call.ended).by).toBe('remote');
  });

  it('takes re-INVITE, UPDATE, INFO, REFER (with NOTIFY) and BYE in its dialog', async () => {
    const [uac, node] = [await caller(), await start()];
    const call = dial(uac, node);
    await call.outcome;
    const sent = [call.reinvite, call.hold, call.update].map((send) => () => send.call(call));
    const answers = [];
    for (const send of sent) answers.push(await send());
    answers.push(await call.info('Signal=1\r\nDuration=100\r\n'), await call.refer('sip:9@acme'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 202]);
    expect(answers[1]?.body).toContain('a=recvonly');
    await expect
      .poll(() => call.received.map(({ body }) => body.trim()))
      .toEqual(['SIP/2.0 100 Trying', 'SIP/2.0 200 OK']);
    expect((await call.bye()).status).toBe(200);
  });

  it('without a common codec is refused 488', async () => {
    const [uac, node] = [await caller(), await start()];
    const sdp =
      'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4 RTP/AVP 111\r\n';
    expect((await dial(uac, node, { sdp }).outcome).status).toBe(488);
  });

  it('that is re-sent with another branch and CSeq after its answer is a second call of the same Call-ID', async () => {
    const [uac, node] = [await caller(), await start()];
    const call = dial(uac, node);
    await call.outcome;
    const again = await call.resend({ branch: 'new', seq: 'next' });
    expect(again?.status).toBe(200);
  });
});

describe('a node that may not take a call', () => {
  it.each([
    ['full', { max: 1 }],
    ['paused', { pausedInbound: true }],
  ])('because it is %s answers INVITE and REGISTER as FreeSWITCH does', async (why, settings) => {
    const [uac, node] = [await caller(), await start({ settings })];
    if (why === 'full') await dial(uac, node).outcome;
    const outcome = await dial(uac, node).outcome;
    expect(outcome).toMatchObject({ status: 503, reason: 'Maximum Calls In Progress', retryAfter: 300 });
    expect((await uac.request('REGISTER', `sip:${node.sip}`)).status).toBe(503);
    node.set({ optionsBusy: true });
    expect((await uac.options(node.sip)).status).toBe(503);
    node.set({ optionsBusy: false });
    expect((await uac.options(node.sip)).status).toBe(200);
  });

  it('takes calls again when one has ended', async () => {
    const [uac, node] = [await caller(), await start({ settings: { max: 1 } })];
    const first = dial(uac, node);
    await first.outcome;
    await first.bye();
    expect((await dial(uac, node).outcome).status).toBe(200);
  });

  it('because it ignores INVITEs says not even 100, and answers all else', async () => {
    const [uac, node] = [await caller(), await start({ settings: { ignoreInvites: true } })];
    const call = dial(uac, node);
    expect((await uac.options(node.sip)).status).toBe(200);
    node.set({ ignoreInvites: false });
    // The caller's own retransmission is what gets through.
    expect((await call.outcome).statuses).toEqual([100, 200]);
  });

  it('by a status that was set answers that status', async () => {
    const [uac, node] = [await caller(), await start({ settings: { respond: 486 } })];
    expect((await dial(uac, node).outcome).status).toBe(486);
  });
});

describe('a frozen node', () => {
  it('answers nothing, keeps its calls, and catches up when it thaws', async () => {
    const [uac, node] = [await caller(), await start()];
    const live = dial(uac, node);
    await live.outcome;
    node.freeze();
    const waiting = dial(uac, node);
    const early = await Promise.race([
      waiting.outcome,
      new Promise((resolve) => setTimeout(resolve, 200, 'nothing')),
    ]);
    expect(early).toBe('nothing');
    node.freeze(false);
    expect((await waiting.outcome).status).toBe(200);
    expect((await live.bye()).status).toBe(200);
  });
});

describe('a killed node', () => {
  it('is gone at once, and comes back on its address as another Core-UUID that knows no call', async () => {
    const [uac, node] = [await caller(), await start()];
    const call = dial(uac, node);
    await call.outcome;
    const [host = '', port] = node.sip.split(':');
    node.kill();
    const again = await start({ sip: { host, port: Number(port) } });
    expect(again.coreUuid).not.toBe(node.coreUuid);
    expect((await call.info('x', 'text/plain')).status).toBe(481);
  });
});

describe('a node that bridges', () => {
  async function pair(settings = {}) {
    const far = await start({ id: 'far', settings });
    const near = await start({ id: 'near', settings: { bridgeTo: far.sip } });
    return { uac: await caller(), near, far };
  }

  it('makes a second leg with the headers of the first, and ends both together', async () => {
    const { uac, near, far } = await pair({ ringing: true });
    const call = dial(uac, near, { headers: { 'X-Callmesh-Session': 's1' } });
    expect(await call.outcome).toMatchObject({ status: 200, node: 'near', statuses: [100, 180, 200] });
    expect([near.channels.size, far.channels.size]).toEqual([2, 1]);
    expect([...far.channels.values()][0]?.variables.get('sip_h_X-Callmesh-Session')).toBe('s1');
    await call.bye();
    await soon(() => near.channels.size + far.channels.size).toBe(0);
  });

  it('hangs up the caller when the far end does', async () => {
    const { uac, near } = await pair({ hangupAfterMs: 50 });
    const call = dial(uac, near);
    await call.outcome;
    expect((await call.ended).by).toBe('remote');
    expect(near.channels.size).toBe(0);
  });

  it('passes on a refusal, and a CANCEL', async () => {
    const { uac, near, far } = await pair({ respond: 486 });
    expect((await dial(uac, near).outcome).status).toBe(486);
    far.set({ respond: 0, answerDelayMs: 5000 });
    const call = dial(uac, near);
    await soon(() => far.channels.size).toBe(1);
    call.cancel();
    expect((await call.outcome).status).toBe(487);
    await soon(() => near.channels.size + far.channels.size).toBe(0);
  });
});

describe('a router', () => {
  it('keeps the contacts agents register, each with its Path, and lists them as FreeSWITCH does', async () => {
    const [door, node] = [await caller(), await start()];
    const register = (expires: number, contact = '<sip:a1@10.0.0.1;transport=ws>') =>
      door.request('REGISTER', `sip:${node.sip}`, {
        to: '<sip:alice@acme.example>',
        contact,
        headers: { Path: '<sip:edge@10.0.0.9;lr>', Expires: String(expires) },
      });
    const listed = () => listedDevices(String(runApi(node, 'sofia', 'status profile mesh reg')), Date.now());
    expect((await register(300)).headers.get('contact')).toContain('expires=300');
    await register(300, '<sip:a2@10.0.0.1;transport=ws>');
    await register(0, '<sip:a2@10.0.0.1;transport=ws>');
    expect(listed()).toMatchObject([
      {
        ...{ aor: 'alice@acme.example', contact: 'sip:a1@10.0.0.1;transport=ws' },
        path: ['sip:edge@10.0.0.9;lr'],
      },
    ]);
    await register(0, '*');
    runApi(node, 'sofia', 'profile mesh flush_inbound_reg alice@acme.example');
    expect(listed()).toEqual([]);
  });
});

describe('RTP', () => {
  it('goes on to the other leg of a bridge', async () => {
    const far = await start({ id: 'far', settings: { rtp: 'send' } });
    const near = await start({ id: 'near', settings: { rtp: 'echo', bridgeTo: far.sip } });
    const ear = await Ear.open('127.0.0.1');
    const call = dial(await caller(), near, { sdp: ear.offer });
    ear.answered((await call.outcome).response!.body);
    await soon(() => ear.received).toBeGreaterThan(5);
    await soon(() => [...far.channels.values()][0]?.rtp.received).toBeGreaterThan(5);
    await call.bye();
    ear.close();
  });

  it('is echoed and counted when it is on', async () => {
    const far = await start({ id: 'far', settings: { rtp: 'echo' } });
    const near = await start({ id: 'near', settings: { rtp: 'send', bridgeTo: far.sip } });
    const call = dial(await caller(), near);
    await call.outcome;
    const leg = () => [...near.channels.values()].find(({ direction }) => direction === 'outbound')?.rtp;
    await soon(() => leg()?.received).toBeGreaterThan(5);
    expect([...far.channels.values()][0]?.rtp.received).toBeGreaterThan(5);
    await call.bye();
  });
});

describe('many nodes in one process', () => {
  it('200 of them share 1,000 calls, none lost', { timeout: 60_000 }, async () => {
    const uac = await caller();
    const fleet = await Promise.all(
      Array.from({ length: 200 }, (_, i) => start({ id: `n${i}`, tcp: false })),
    );
    const call = (i: number) => ({ proxy: fleet[i % 200]!.sip, to: `sip:${i}@acme` });
    const batch = await uac.run({ count: 1000, rate: 400, holdMs: 200, call });
    expect([batch.completed, batch.failed, batch.byNode.size]).toEqual([1000, [], 200]);
    expect(new Set(batch.byNode.values())).toEqual(new Set([5]));
    expect(fleet.reduce((sum, { channels }) => sum + channels.size, 0)).toBe(0);
  });
});

it('settings refuse unknown names and wrong types, and then change nothing', () => {
  const settings = { ...DEFAULTS };
  expect(() => applySettings(settings, { max: 3, nonsense: 1 })).toThrow(/unknown setting nonsense/);
  expect(() => applySettings(settings, { max: '3' })).toThrow(/max: expected a number/);
  expect(() => applySettings(settings, { rtp: 'loud' })).toThrow(RangeError);
  expect(settings).toEqual(DEFAULTS);
});
