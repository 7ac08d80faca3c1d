import { eventually } from '@callmesh/local';
import type { CallEvent } from '@callmesh/proto/call';
import { expect } from 'vitest';
import { Phone, type PhoneCall } from '../sip/phone.ts';
import { Platform } from './platform.ts';
import { mediaNodes, type TestTenant, World } from './world.ts';

/** Ways a node may be served; a stand-in speaks SIP and events, but no media. */
export type ServerKind = 'standin' | 'freeswitch';

/** Token of a client that may act for globex alone. */
export const GLOBEX_TOKEN = 'a-service-of-globex-alone';
export const NUMBERS = {
  announcement: '+4930100100',
  extension: '+4930100200',
  room: '+4930100300',
  control: '+4930100400',
};
export const TONE = 'tone_stream://%(1000,0,425);loops=60';
/** What the PBX says all the time, hertz. */
export const VOICE = 440;

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

/** A mesh of two media nodes, acme's PBX in front of it, and the platform's service behind it. */
export class CallStage {
  readonly world: World;
  readonly pbx: Phone;
  readonly platform: Platform;
  readonly #real: boolean;
  readonly #made: PhoneCall[] = [];

  private constructor(world: World, pbx: Phone, server: ServerKind) {
    this.world = world;
    this.pbx = pbx;
    this.platform = new Platform(world.mesh, 'acme');
    this.#real = server === 'freeswitch';
  }

  static async start(server: ServerKind): Promise<CallStage> {
    const pbx = await Phone.open('acme-pbx', VOICE, '127.0.8.1');
    const carries = { server, max: 200, ...(server === 'standin' && { set: { parkS: 60 } }) };
    try {
      const world = await World.start(tenants(pbx), {
        nodes: mediaNodes('red', 2, carries),
        replicas: { 'call-control': 2 },
        callControl: { clients: [{ name: 'globex-service', token: GLOBEX_TOKEN, tenants: ['globex'] }] },
      });
      return new CallStage(world, pbx, server);
    } catch (error) {
      pbx.close();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.platform.close();
    this.pbx.close();
    await this.world.stop();
  }

  /** Ends what a test left behind. */
  async clear(): Promise<void> {
    this.pbx.onCall = (call) => call.answer();
    for (const call of [...this.#made.splice(0), ...this.pbx.calls.splice(0)]) call.hangUp();
    await eventually(async () => (await this.#legs()) === 0, 'no leg is left');
  }

  async #legs(): Promise<number> {
    const rows = await this.world.mesh.table();
    return rows.reduce((sum, { load }) => sum + (load?.sessions ?? 0), 0);
  }

  /** The PBX calls a number through the door. */
  async dial(number: string): Promise<PhoneCall> {
    const proxy = `127.0.0.1:${this.world.mesh.edge.sipPort}`;
    const call = await this.pbx.call({ proxy, to: `sip:${number}@acme.example` });
    this.#made.push(call);
    return call;
  }

  /** The call the PBX takes. */
  taken(): Promise<PhoneCall> {
    return eventually(() => this.pbx.calls[0], 'the PBX is called');
  }

  async answered(call: PhoneCall): Promise<void> {
    await eventually(() => call.status === 200, 'the call is answered');
  }

  ended(call: PhoneCall) {
    return eventually(() => call.end, 'the call ended');
  }

  /** The created event of the call the PBX made. */
  created(call: PhoneCall): Promise<CallEvent> {
    return this.platform.told({ event: 'created', callId: call.session.dialog.callId, outbound: false });
  }

  /** A call to the control number that was answered by command. */
  async controlled(): Promise<{ call: PhoneCall; leg: CallEvent }> {
    const call = await this.dial(NUMBERS.control);
    const leg = await this.created(call);
    await this.platform.do('answer', { leg: this.platform.leg(leg) });
    await this.answered(call);
    return { call, leg };
  }

  /** A caller connected to an extension of the PBX. */
  async connected(): Promise<{ call: PhoneCall; callee: PhoneCall; leg: CallEvent }> {
    const call = await this.dial(NUMBERS.extension);
    const callee = await this.taken();
    await this.answered(call);
    const leg = await this.created(call);
    await this.platform.told({ event: 'bridged', sessionId: leg.sessionId });
    return { call, callee, leg };
  }

  /** With real media, that a tone arrives; a stand-in sends none. */
  async hears(call: PhoneCall, hertz: number): Promise<void> {
    expect(call.end).toBeUndefined();
    if (this.#real) await eventually(() => call.ear.hears(hertz) > 0.5, `${hertz} Hz is heard`);
  }

  async hearsNothing(call: PhoneCall): Promise<void> {
    if (this.#real) await eventually(() => call.ear.loudness < 200, 'nothing is heard');
  }

  /** Everything of a leg was told once, in order, from its creation to its end. */
  async wholeStory(leg: CallEvent): Promise<string[]> {
    await this.platform.told({ event: 'hangup', legUuid: leg.legUuid });
    const told = this.platform.events.filter(({ legUuid }) => legUuid === leg.legUuid);
    expect(told.map(({ ordinal }) => ordinal)).toEqual(told.map((_, index) => index + 1));
    expect(told.filter(({ event }) => event === 'created' || event === 'hangup').length).toBe(2);
    return told.map(({ event }) => event);
  }
}
