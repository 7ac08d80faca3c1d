import { eventually } from '@callmesh/local';
import type { CallEvent } from '@callmesh/proto/call';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Phone, type PhoneCall } from '../sip/phone.ts';
import { Platform } from './platform.ts';
import { mediaNodes, type TestTenant, World } from './world.ts';

/** Ways a node may be served; a stand-in speaks SIP and events, but no media. */
export type ServerKind = 'standin' | 'freeswitch';

const CLIENT_TOKEN = 'a-service-of-globex-alone';
const NUMBERS = {
  announcement: '+4930100100',
  extension: '+4930100200',
  room: '+4930100300',
  control: '+4930100400',
};
const TONE = 'tone_stream://%(1000,0,425);loops=60';

/** acme with a PBX that calls and is called; globex, from whom nothing of it may be reached. */
function tenants(pbx: Phone): TestTenant[] {
  const did = (number: string, kind: string, destination: string) => ({
    ...{ number, function: 'general', destination_kind: kind, destination },
  });
  return [
    {
      ...{ id: 'acme', host: pbx.agent.host, group: 'red', number: NUMBERS.control },
      trunk: { contact_uri: `sip:${pbx.address};transport=udp` },
      more: {
        links: [{ function: 'conference', group_id: 'red', role: 'media' }],
        dids: [
          did(NUMBERS.announcement, 'announcement', TONE),
          did(NUMBERS.extension, 'trunk', 'acme-pbx/200'),
          did(NUMBERS.room, 'conference', 'board'),
        ],
      },
    },
    { id: 'globex', host: '127.0.8.2', group: 'red', number: '+4940200400' },
  ];
}

/** What the platform does with calls, whoever carries the media. */
export function callRules(title: string, server: ServerKind): void {
  describe(title, () => {
    const real = server === 'freeswitch';
    let world: World;
    let pbx: Phone;
    let platform: Platform;

    beforeAll(async () => {
      pbx = await Phone.open('acme-pbx', 440, '127.0.8.1');
      const carries = { server, max: 200, ...(!real && { set: { parkS: 60 } }) } as const;
      world = await World.start(tenants(pbx), {
        nodes: mediaNodes('red', 2, carries),
        replicas: { 'call-control': 2 },
        callControl: { clients: [{ name: 'globex-service', token: CLIENT_TOKEN, tenants: ['globex'] }] },
      });
      platform = await Platform.open(world.mesh, 'acme');
    }, 180_000);
    afterAll(async () => {
      platform?.close();
      pbx?.close();
      await world?.stop();
    });
    afterEach(async () => {
      for (const call of [...made.splice(0), ...pbx.calls.splice(0)]) call.hangUp();
      pbx.onCall = (call) => call.answer();
      await eventually(async () => (await legs()) === 0, 'no leg is left');
    });

    async function legs(): Promise<number> {
      const rows = await world.mesh.table();
      return rows.reduce((sum, { load }) => sum + (load?.sessions ?? 0), 0);
    }

    const made: PhoneCall[] = [];
    const dial = async (number: string) => {
      const proxy = `127.0.0.1:${world.mesh.edge.sipPort}`;
      const call = await pbx.call({ proxy, to: `sip:${number}@acme.example` });
      made.push(call);
      return call;
    };
    const answered = (call: PhoneCall) => eventually(() => call.status === 200, 'the call is answered');
    const ended = (call: PhoneCall) => eventually(() => call.end, 'the call ended');
    /** With real media, that a tone arrives; a stand-in sends none. */
    const hears = async (call: PhoneCall, hertz: number) => {
      if (real) await eventually(() => call.ear.hears(hertz) > 0.5, `${hertz} Hz is heard`);
    };
    const hearsNothing = async (call: PhoneCall) => {
      if (real) await eventually(() => call.ear.loudness < 200, 'nothing is heard');
    };
    /** The created event of the call this phone made. */
    const created = (call: PhoneCall) =>
      platform.told({ event: 'created', callId: call.session.dialog.callId, outbound: false });

    /** A call to the control number that was answered by command. */
    async function controlled(): Promise<{ call: PhoneCall; leg: CallEvent }> {
      const call = await dial(NUMBERS.control);
      const leg = await created(call);
      await platform.do('answer', { leg: platform.leg(leg) });
      await answered(call);
      return { call, leg };
    }

    /** Everything of a leg was told once, in order, from its creation to its end. */
    async function wholeStory(leg: CallEvent): Promise<string[]> {
      await platform.told({ event: 'hangup', legUuid: leg.legUuid });
      const told = platform.events.filter(({ legUuid }) => legUuid === leg.legUuid);
      expect(told.map(({ ordinal }) => ordinal)).toEqual(told.map((_, index) => index + 1));
      expect(told.filter(({ event }) => event === 'created' || event === 'hangup').length).toBe(2);
      return told.map(({ event }) => event);
    }

    it('answers a number by what it is for, without anybody commanding it', async () => {
      const call = await dial(NUMBERS.announcement);
      await answered(call);
      await hears(call, 425);
      const leg = await created(call);
      expect(leg).toMatchObject({ tenantId: 'acme', callee: NUMBERS.announcement });
      call.hangUp();
      const story = await wholeStory(leg);
      expect(story.filter((event) => event !== 'ringing')).toEqual(['created', 'answered', 'hangup']);
    });

    it("refuses a number that is nobody's with 404, and what the tenant may not call with 403", async () => {
      const nobody = await dial('999');
      await ended(nobody);
      expect(nobody.status).toBe(404);
    });

    it('brings a call to an extension of the PBX, and both hear each other', async () => {
      const call = await dial(NUMBERS.extension);
      const { callee } = await taken();
      await answered(call);
      expect(callee.invite.uri).toMatch(/^sip:200@/);
      // Nothing of the mesh leaves it.
      expect(callee.invite.headers.fields.filter(({ name }) => /^x-callmesh/i.test(name))).toEqual([]);
      const leg = await created(call);
      const bridged = await platform.told({ event: 'bridged', sessionId: leg.sessionId });
      await hears(call, 440);
      await hears(callee, 440);
      callee.hangUp();
      await ended(call);
      expect(await wholeStory(leg)).toContain('bridged');
      const other = [leg.legUuid, bridged.otherLegUuid, bridged.legUuid].find(
        (uuid) => uuid !== leg.legUuid,
      )!;
      await platform.told({ event: 'hangup', legUuid: other });
    });

    /** The call the PBX takes next. */
    async function taken(): Promise<{ callee: PhoneCall }> {
      return { callee: await eventually(() => pbx.calls[0], 'the PBX is called') };
    }

    it('lets a call for control wait, unanswered, until it is commanded', async () => {
      const call = await dial(NUMBERS.control);
      const leg = await created(call);
      const session = await platform.do('getSession', { tenantId: 'acme', sessionId: leg.sessionId });
      expect(session.legs.map(({ legUuid }) => legUuid)).toEqual([leg.legUuid]);
      expect(session.nodeId).toBe(leg.nodeId);
      expect(call.status).toBe(0);
      expect((await platform.do('answer', { leg: platform.leg(leg) })).nodeId).toBe(leg.nodeId);
      await answered(call);
      await platform.do('play', { leg: platform.leg(leg), play: { source: TONE, loops: 0 }, both: false });
      await hears(call, 425);
      await platform.do('stopPlay', { leg: platform.leg(leg) });
      await hearsNothing(call);
      await platform.do('hangUp', { leg: platform.leg(leg), cause: '' });
      expect((await ended(call)).by).toBe('remote');
      expect(await wholeStory(leg)).toContain('answered');
    });

    it('calls somebody into a session, on its node, and connects the two', async () => {
      const { call, leg } = await controlled();
      const placed = await platform.do('originate', {
        ...{ tenantId: 'acme', sessionId: leg.sessionId },
        destination: { target: { $case: 'trunk', value: 'acme-pbx/201' } },
      });
      expect(placed.nodeId).toBe(leg.nodeId);
      const { callee } = await taken();
      await platform.told({ event: 'answered', legUuid: placed.leg!.legUuid });
      await platform.do('bridge', { leg: platform.leg(leg), otherLegUuid: placed.leg!.legUuid });
      await platform.told({ event: 'bridged', sessionId: leg.sessionId });
      await hears(call, 440);
      await hears(callee, 440);
      call.hangUp();
      await ended(callee);
      await wholeStory(leg);
    });

    it('transfers a caller to somebody else', async () => {
      const { call, leg } = await controlled();
      await platform.do('transferBlind', {
        leg: platform.leg(leg),
        destination: { target: { $case: 'trunk', value: 'acme-pbx/202' } },
      });
      const { callee } = await taken();
      expect(callee.invite.uri).toMatch(/^sip:202@/);
      await platform.told({ event: 'bridged', sessionId: leg.sessionId });
      await hears(call, 440);
      callee.hangUp();
      await ended(call);
    });

    it('brings two callers into a room of their tenant, on one node', async () => {
      const [a, b] = [await dial(NUMBERS.room), await dial(NUMBERS.room)];
      await Promise.all([answered(a), answered(b)]);
      const [first, second] = [await created(a), await created(b)];
      expect(second.nodeId).toBe(first.nodeId);
      for (const { legUuid } of [first, second])
        expect(await platform.told({ event: 'joined', legUuid })).toMatchObject({ room: 'board' });
      await hears(a, 440);
      await hears(b, 440);
      for (const call of [a, b]) call.hangUp();
      for (const { legUuid } of [first, second]) await platform.told({ event: 'left', legUuid });
    });

    it('does a command once, however often it is asked under one key, by whichever replica', async () => {
      const other = await Platform.open(world.mesh, 'acme', { instance: 'call-control-2' });
      const order = {
        ...{ idempotencyKey: 'once', tenantId: 'acme', sessionId: '' },
        destination: { target: { $case: 'trunk', value: 'acme-pbx/203' } as const },
      };
      const first = await platform.do('originate', order);
      const { callee } = await taken();
      const again = await other.do('originate', order);
      expect(again).toMatchObject({ repeated: true, leg: first.leg! });
      await platform.told({ event: 'answered', legUuid: first.leg!.legUuid });
      expect(pbx.calls.length).toBe(1);
      await other.do('hangUp', { leg: first.leg!, cause: '' });
      await ended(callee);
      other.close();
    });

    it('refuses whoever acts for another tenant', async () => {
      const { call, leg } = await controlled();
      const stranger = await Platform.open(world.mesh, 'globex', { token: CLIENT_TOKEN });
      const forbidden = expect.objectContaining({ code: 'tenant_forbidden' });
      await expect(stranger.do('hangUp', { leg: platform.leg(leg) })).rejects.toEqual(forbidden);
      // Nor as its own: the session is another's.
      const claimed = { ...platform.leg(leg), tenantId: 'globex' };
      await expect(stranger.do('hangUp', { leg: claimed })).rejects.toEqual(forbidden);
      expect(call.end).toBeUndefined();
      stranger.close();
      call.hangUp();
      await ended(call);
    });
  });
}
