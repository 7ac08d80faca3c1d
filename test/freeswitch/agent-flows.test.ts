import { eventually } from '@callmesh/local';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import { call as ask } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Platform } from '../mesh/platform.ts';
import { mediaNodes, type TestTenant, World } from '../mesh/world.ts';
import { alice, bob, dave } from '../sip/agent.ts';
import { type Account, ha1Of } from '../sip/credentials.ts';
import { header } from '../sip/message.ts';
import { Phone, type PhoneCall } from '../sip/phone.ts';
import { page } from '../sip/web-peer.ts';
import { WebPhone } from '../sip/web-phone.ts';
import { describeReal } from './lab.ts';

const VOICES = { pbx: 440, alice: 660, bob: 880 };
const ALICES = '+4930100401';
const CONTROL = '+4930100400';
/** Who sends nothing for so long is taken for gone, seconds. */
const SILENCE_S = 4;
const row = (account: Account, extension: string) => ({
  ...{ username: account.user, extension, display_name: account.user, voicemail: false },
  ha1_md5: ha1Of(account),
});
const tenants = (pbx: Phone): TestTenant[] => [
  {
    ...{ id: 'acme', host: pbx.agent.host, group: 'red', number: CONTROL },
    tenant: { web_origins: [page] },
    trunk: { contact_uri: `sip:${pbx.address};transport=udp` },
    more: {
      links: [{ function: 'internal', group_id: 'red', role: 'media' }],
      agents: [row(alice, '1001'), row(bob, '1002')],
      dids: [
        { number: ALICES, function: 'general', destination_kind: 'agent', destination: 'alice@acme.example' },
      ],
    },
  },
  {
    ...{ id: 'bravo', host: '127.0.47.2', group: 'red', number: '+4940200400' },
    tenant: { web_origins: [page] },
    more: { agents: [row(dave, '1002')] },
  },
];

describeReal('an agent over WebSocket, from the door to a real fs-media', () => {
  let world: World;
  let platform: Platform;
  let pbx: Phone;
  const phones: WebPhone[] = [];
  const made: PhoneCall[] = [];

  beforeAll(async () => {
    process.env.FS_SILENCE_S = String(SILENCE_S);
    pbx = await Phone.open('acme-pbx', VOICES.pbx, '127.0.47.1');
    const carries = { server: 'freeswitch', max: 100 } as const;
    world = await World.start(tenants(pbx), {
      nodes: [
        ...mediaNodes('red', 1, carries),
        { id: 'fs-router-1', role: 'router', group: 'routers', ...carries },
        { id: 'fs-router-2', role: 'router', group: 'routers', ...carries },
      ],
      replicas: { 'call-control': 1 },
      doors: [{ id: 'kama-wss-1' }, { id: 'kama-wss-2' }],
    });
    platform = new Platform(world.mesh, 'acme');
  }, 180_000);
  afterAll(async () => {
    delete process.env.FS_SILENCE_S;
    platform?.close();
    pbx?.close();
    await world?.stop();
  });
  afterEach(async () => {
    for (const one of [...made.splice(0), ...pbx.calls.splice(0)]) one.hangUp();
    for (const one of phones.splice(0)) {
      for (const call of one.phone.calls) call.hangUp();
      one.close();
    }
    await eventually(
      async () => (await world.mesh.table()).every(({ load }) => (load?.sessions ?? 0) === 0),
      'no leg is left',
      30_000,
    );
    await known(alice, 0);
    await known(bob, 0);
  });

  const door = (n: 1 | 2) => world.mesh.door(`kama-wss-${n}`);

  async function known({ user, realm }: Account, count: number): Promise<void> {
    const client = world.mesh.client(SessionCacheServiceClient, 'session-cache-1');
    const aor = `${user}@${realm}`;
    await eventually(
      async () => (await ask(client, 'getRegistrations', { aor })).registrations.length === count,
      `${aor} is known at ${count} devices`,
    );
  }

  async function comesIn(account: Account, tone: number, at: 1 | 2 = 1, devices = 1): Promise<WebPhone> {
    const one = await WebPhone.open(account, tone, door(at));
    phones.push(one);
    await known(account, devices);
    return one;
  }

  /** The tenant's PBX calls. */
  async function dials(number: string): Promise<PhoneCall> {
    const proxy = `127.0.0.1:${world.mesh.edge.sipPort}`;
    const one = await pbx.call({ proxy, to: `sip:${number}@acme.example` });
    made.push(one);
    return one;
  }

  const taken = ({ phone }: WebPhone) =>
    eventually(() => phone.calls.at(-1), `${phone.agent.user} is called`);
  const answered = (one: PhoneCall) => eventually(() => one.status === 200, 'the call is answered');
  const ended = (one: PhoneCall, ms?: number) => eventually(() => one.end, 'the call ended', ms);
  const hears = (one: PhoneCall, hertz: number) =>
    eventually(() => one.ear.hears(hertz) > 0.5, `${hertz} Hz is heard`);

  /** A customer's call that alice answered; both hear each other. */
  async function talking() {
    const agent = await comesIn(alice, VOICES.alice);
    const customer = await dials(ALICES);
    const own = await taken(agent);
    await answered(customer);
    await hears(customer, VOICES.alice);
    await hears(own, VOICES.pbx);
    return { agent, customer, own };
  }

  it('talks to a customer, presses keys, holds, resumes and hangs up', async () => {
    const { customer, own } = await talking();
    own.press('5');
    await eventually(() => customer.ear.digits.includes('5'), 'the customer has the key');
    customer.press('7');
    await eventually(() => own.ear.digits.includes('7'), 'the agent has the key');
    expect((await own.hold(true)).status).toBe(200);
    await eventually(() => customer.ear.hears(VOICES.alice) < 0.2, 'the customer does not hear the agent');
    expect((await own.hold(false)).status).toBe(200);
    await hears(customer, VOICES.alice);
    await hears(own, VOICES.pbx);
    own.hangUp();
    await ended(customer);
  });

  it('is heard before it answers', async () => {
    const agent = await comesIn(alice, VOICES.alice);
    agent.phone.onCall = (one) => one.earlyMedia();
    const customer = await dials(ALICES);
    await hears(customer, VOICES.alice);
    expect(customer.status).toBe(0);
  });

  it('is called at all its devices, at whatever door; the first wins, and the others hear that it did', async () => {
    const desk = await comesIn(bob, VOICES.bob, 1);
    const home = await comesIn(bob, VOICES.bob, 2, 2);
    for (const { phone } of [desk, home]) phone.onCall = (one) => one.ring();
    const customer = await dials('1002');
    const [atDesk, atHome] = [await taken(desk), await taken(home)];
    await eventually(() => customer.statuses.includes(180), 'it rings');
    atHome.answer();
    await answered(customer);
    await hears(customer, VOICES.bob);
    await ended(atDesk);
    const { message } = await desk.peer.takeRequest('CANCEL');
    expect(header(message, 'Reason')).toMatch(/^SIP\s*;\s*cause=200\s*;\s*text="Call completed elsewhere"/);
    expect(home.peer.count('CANCEL')).toBe(0);
  });

  it('calls a colleague, and nobody of another tenant, whatever that one is called', async () => {
    const agent = await comesIn(alice, VOICES.alice);
    const colleague = await comesIn(bob, VOICES.bob);
    const stranger = await comesIn(dave, 1100);
    for (const name of ['dave', 'dave%40bravo.example']) {
      const no = await agent.call(name);
      made.push(no);
      await ended(no);
      expect(no.status).toBe(404);
    }
    const own = await agent.call('1002');
    made.push(own);
    await answered(own);
    await hears(own, VOICES.bob);
    await hears(await taken(colleague), VOICES.alice);
    expect(stranger.phone.calls).toEqual([]);
  });

  describe('gives a customer', () => {
    /** In the agent's dialog with the customer. */
    const refer = ({ session }: PhoneCall, to: string) =>
      session.request('REFER', { headers: { 'Refer-To': `<${to}>` } });
    const replacing = ({ session: { dialog } }: PhoneCall) =>
      encodeURIComponent(`${dialog.callId};to-tag=${dialog.remoteTag};from-tag=${dialog.localTag}`);

    it('to a colleague, by name or number, and is out of the call', async () => {
      const { customer, own } = await talking();
      const colleague = await comesIn(bob, VOICES.bob);
      expect((await refer(own, 'sip:1002@acme.example')).status).toBe(202);
      const theirs = await taken(colleague);
      await ended(own);
      await hears(customer, VOICES.bob);
      await hears(theirs, VOICES.pbx);
    });

    it('to the colleague it asked first, and is out of both calls', async () => {
      const { agent, customer, own } = await talking();
      const colleague = await comesIn(bob, VOICES.bob);
      await own.hold(true);
      const asking = await agent.call('1002');
      await answered(asking);
      await hears(asking, VOICES.bob);
      expect((await refer(own, `sip:1002@acme.example?Replaces=${replacing(asking)}`)).status).toBe(202);
      await hears(customer, VOICES.bob);
      await hears(await taken(colleague), VOICES.pbx);
      await ended(own);
      await ended(asking);
      expect(colleague.phone.calls).toHaveLength(1);
    });

    it('to nobody of another tenant, and joins no call of theirs', async () => {
      const stranger = await comesIn(dave, 1100);
      const theirs = await stranger.call('9196');
      made.push(theirs);
      await answered(theirs);
      for (const to of ['sip:dave@bravo.example', `sip:dave@bravo.example?Replaces=${replacing(theirs)}`]) {
        const { agent, customer, own } = await talking();
        expect((await refer(own, to)).status).toBe(202);
        expect((await ended(customer)).by).toBe('remote');
        await ended(own);
        agent.drop();
        await known(alice, 0);
      }
      expect(stranger.phone.calls).toEqual([]);
      expect(theirs.end).toBeUndefined();
      await hears(theirs, 1100);
    });
  });

  describe('that loses its network in the middle of a call', () => {
    it('and comes back to the same door goes on talking, and is found there', async () => {
      const { agent, customer, own } = await talking();
      agent.drop();
      await known(alice, 0);
      await agent.connect(door(1));
      await known(alice, 1);
      await hears(customer, VOICES.alice);
      await hears(own, VOICES.pbx);
      customer.hangUp();
      await ended(own);
    });

    it('and comes back to another door has its call ended as soon as anything is said within it', async () => {
      const { agent, customer } = await talking();
      agent.drop();
      await agent.connect(door(2));
      await known(alice, 1);
      const gone = await platform.told({ event: 'created', agentId: 'alice@acme.example', outbound: true });
      customer.hangUp();
      await ended(customer);
      await platform.told({ event: 'hangup', legUuid: gone.legUuid });
      // And is there for the next one.
      const again = await dials(ALICES);
      await answered(again);
    });

    it.each([
      ['comes back to another door without its sound', true],
      ['stays away', false],
    ])('and %s is hung up on when nothing was heard of it for long, with a cause', async (_, returns) => {
      const { agent, customer, own } = await talking();
      const began = performance.now();
      own.ear.stop();
      agent.drop();
      if (returns) await agent.connect(door(2));
      const end = await ended(customer, SILENCE_S * 1000 + 5_000);
      expect(performance.now() - began).toBeGreaterThan(SILENCE_S * 900);
      expect(end.by).toBe('remote');
      expect(end.message?.headers.get('reason')).toBe('SIP;cause=804;text="MEDIA_TIMEOUT"');
      const told = await platform.told(
        ({ event, hangupCause }) => event === 'hangup' && hangupCause === 'MEDIA_TIMEOUT',
      );
      expect(told.agentId).toBe('alice@acme.example');
    });
  });

  it('that is held by command is not taken for gone because it sends nothing', async () => {
    const customer = await dials(CONTROL);
    const leg = platform.leg(
      await platform.told({ event: 'created', callId: customer.session.dialog.callId }),
    );
    await platform.do('answer', { leg });
    await answered(customer);
    await platform.do('hold', { leg, on: true });
    customer.ear.stop();
    const until = performance.now() + SILENCE_S * 1000 + 2_000;
    await eventually(() => performance.now() > until || customer.end, 'it would be over', 10_000);
    expect(customer.end).toBeUndefined();
    customer.talk(true);
    await platform.do('hold', { leg, on: false });
    await platform.do('hangUp', { leg, cause: 'NORMAL_CLEARING' });
    await ended(customer);
  });
});
