import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freeswitchApi } from '@callmesh/local';
import type { CallEvent } from '@callmesh/proto/call';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import { call } from '@callmesh/runtime';
import { Platform } from '../mesh/platform.ts';
import { mediaNodes, type TestTenant, World } from '../mesh/world.ts';
import { Phone, type PhoneCall } from '../sip/phone.ts';

export const GLOBEX_TOKEN = 'a-service-of-globex-alone';
/** Who is there, and the hertz of each voice. */
export const VOICES = { pbx: 440, alice: 660, bob: 880, carol: 1100, carrier: 1500 };
export type Who = keyof typeof VOICES;
const AGENTS = ['alice', 'bob', 'carol'] as const;
const HOSTS: Partial<Record<Who, string>> = { pbx: '127.0.44.1', carrier: '127.0.44.2' };
const ROUTER = 'fs-router-1';
const TANDEM = 'fs-tandem-1';

export const TONE = 'tone_stream://%(1000,0,425);loops=60';
export const OUTSIDE = '+498912345';
export const NUMBERS = {
  control: '+4930100400',
  agent: '+4930100401',
  group: '+4930100402',
  room: '+4930100403',
  announcement: '+4930100404',
  mailbox: '+4930100405',
  outside: '+4930100406',
  extension: '+4930100407',
};

const HA1 = '0123456789abcdef0123456789abcdef';
const agent = (username: string, extension: string, voicemail: boolean) => ({
  ...{ username, extension, voicemail, display_name: username, ha1_md5: HA1 },
});
const did = (number: string, kind: string, destination: string) => ({
  ...{ number, function: 'general', destination_kind: kind, destination },
});

function tenants({ pbx, carrier }: Record<Who, Phone>): TestTenant[] {
  const trunk = {
    ...{ id: 'carrier', kind: 'carrier', auth: 'address', source_addresses: [carrier.agent.host] },
    contact_uri: `sip:${carrier.address}`,
  };
  return [
    {
      ...{ id: 'acme', host: pbx.agent.host, group: 'red', number: NUMBERS.control },
      tenant: { blocked_destinations: ['+4919'] },
      trunk: { contact_uri: `sip:${pbx.address};transport=udp` },
      more: {
        trunks: [trunk],
        links: ['conference', 'internal'].map((fn) => ({ function: fn, group_id: 'red', role: 'media' })),
        agents: [agent('alice', '1001', false), agent('bob', '1002', true), agent('carol', '1003', false)],
        dids: [
          did(NUMBERS.agent, 'agent', 'alice@acme.example'),
          did(NUMBERS.group, 'ring-group', 'alice@acme.example,bob@acme.example|carol@acme.example'),
          did(NUMBERS.room, 'conference', 'board'),
          did(NUMBERS.announcement, 'announcement', TONE),
          did(NUMBERS.mailbox, 'voicemail', 'bob@acme.example'),
          did(NUMBERS.outside, 'external', OUTSIDE),
          did(NUMBERS.extension, 'trunk', 'acme-pbx/200'),
        ],
      },
    },
    { id: 'globex', host: '127.0.44.3', group: 'red', number: '+4940200400' },
  ];
}

/**
 * A call center on real FreeSWITCH: two fs-media, an fs-router with three agents, an
 * fs-tandem with a carrier, a PBX at the door, and the platform behind call-control.
 * What stands in for the agents' door is a peer of the router with a flow to each.
 */
export class Center {
  readonly world: World;
  readonly platform: Platform;
  readonly #phones: Record<Who, Phone>;
  readonly #made: PhoneCall[] = [];
  #cseq = 0;

  private constructor(world: World, phones: Record<Who, Phone>) {
    this.world = world;
    this.#phones = phones;
    this.platform = new Platform(world.mesh, 'acme');
  }

  static async start(): Promise<Center> {
    const phones = {} as Record<Who, Phone>;
    for (const [name, hertz] of Object.entries(VOICES) as [Who, number][])
      phones[name] = await Phone.open(name, hertz, HOSTS[name] ?? '127.0.0.1');
    const carries = { server: 'freeswitch', max: 100 } as const;
    const world = await World.start(tenants(phones), {
      nodes: [
        ...mediaNodes('red', 2, carries),
        { id: ROUTER, role: 'router', group: 'routers', ...carries },
        { id: TANDEM, role: 'tandem', group: 'tandems', ...carries },
      ],
      replicas: { 'call-control': 2 },
      callControl: { clients: [{ name: 'globex-service', token: GLOBEX_TOKEN, tenants: ['globex'] }] },
    });
    const center = new Center(world, phones);
    try {
      await center.#ready();
      return center;
    } catch (error) {
      await center.stop();
      throw error;
    }
  }

  /** Agents can be called, and the outside. */
  async #ready(): Promise<void> {
    for (const name of AGENTS) await this.#register(name);
    const { esl } = this.world.mesh.node(TANDEM);
    await eventually(
      async () => (await freeswitchApi(esl, 'sofia status')).includes('carriers::carrier'),
      'the tandem knows the carrier',
      20_000,
    );
  }

  async stop(): Promise<void> {
    this.platform.close();
    for (const phone of Object.values(this.#phones)) phone.close();
    await this.world.stop();
  }

  /** Ends what a test left behind. */
  async clear(): Promise<void> {
    for (const phone of Object.values(this.#phones)) {
      phone.onCall = (one) => one.answer();
      for (const one of phone.calls.splice(0)) one.hangUp();
    }
    for (const one of this.#made.splice(0)) one.hangUp();
    await eventually(async () => {
      const rows = await this.world.mesh.table();
      return rows.every(({ load }) => (load?.sessions ?? 0) === 0);
    }, 'no leg is left');
  }

  phone(who: Who): Phone {
    return this.#phones[who];
  }

  /** What these do with their next calls. */
  do(what: (call: PhoneCall) => void, ...who: Who[]): void {
    for (const name of who) this.phone(name).onCall = what;
  }

  /** The PBX calls a number through the door. */
  async dial(number: string): Promise<PhoneCall> {
    const proxy = `127.0.0.1:${this.world.mesh.edge.sipPort}`;
    return this.#keep(await this.phone('pbx').call({ proxy, to: `sip:${number}@acme.example` }));
  }

  /** The carrier calls one of the tenant's numbers. */
  async comesIn(number: string): Promise<PhoneCall> {
    const proxy = this.world.mesh.node(TANDEM).carrier!;
    return this.#keep(await this.phone('carrier').call({ proxy, to: `sip:${number}@${proxy}` }));
  }

  /** An agent dials through the door, which names the agent. */
  async dials(name: (typeof AGENTS)[number], to: string): Promise<PhoneCall> {
    const headers = {
      'X-Callmesh-Session': String(this.#cseq++).padStart(16, '0'),
      'X-Callmesh-Tenant': 'acme',
      'X-Callmesh-Node': ROUTER,
      'X-Callmesh-Agent': `${name}@acme.example`,
    };
    const { sip: proxy } = this.world.mesh.node(ROUTER);
    const from = `sip:${name}@acme.example`;
    return this.#keep(await this.phone(name).call({ proxy, to: `sip:${to}@acme.example`, from, headers }));
  }

  /** The call somebody gets next. */
  taken(who: Who): Promise<PhoneCall> {
    return eventually(() => this.phone(who).calls.at(-1), `${who} is called`);
  }

  async answered(one: PhoneCall): Promise<void> {
    await eventually(() => one.status === 200, 'the call is answered');
  }

  ended(one: PhoneCall) {
    return eventually(() => one.end, 'the call ended');
  }

  /** These hear each other. */
  async talk(a: PhoneCall, aVoice: Who, b: PhoneCall, bVoice: Who): Promise<void> {
    await this.hears(a, VOICES[bVoice]);
    await this.hears(b, VOICES[aVoice]);
  }

  async hears(one: PhoneCall, hertz: number): Promise<void> {
    await eventually(() => one.ear.hears(hertz) > 0.5, `${hertz} Hz is heard`);
  }

  /** A voice that is none of ours: what is loud and no tone. */
  async hearsSpeech(one: PhoneCall): Promise<void> {
    const tones = [...Object.values(VOICES), 425];
    await eventually(
      () => one.ear.loudness > 300 && tones.every((hertz) => one.ear.hears(hertz) < 0.3),
      'somebody speaks',
    );
  }

  async hearsNothing(one: PhoneCall): Promise<void> {
    await eventually(() => one.ear.loudness < 100, 'nothing is heard');
  }

  /** The media node's leg of a call. */
  leg(one: PhoneCall): Promise<CallEvent> {
    return this.platform.told({
      event: 'created',
      callId: one.session.dialog.callId,
      role: 'NODE_ROLE_MEDIA',
    });
  }

  /** A call to the control number that was answered by command, and its leg. */
  async controlled() {
    const one = await this.dial(NUMBERS.control);
    const leg = this.platform.leg(await this.leg(one));
    await this.platform.do('answer', { leg });
    await this.answered(one);
    return { call: one, leg };
  }

  /** A controlled call that was transferred to an agent, who answered. */
  async talking(to: (typeof AGENTS)[number]) {
    const { call: one, leg } = await this.controlled();
    const destination = { target: { $case: 'agent', value: to } } as const;
    await this.platform.do('transferBlind', { leg, destination });
    const callee = await this.taken(to);
    await this.talk(one, 'pbx', callee, to);
    const bridged = await this.platform.told({ event: 'bridged', legUuid: leg.legUuid });
    return { call: one, leg, callee, calleeLeg: { ...leg, legUuid: bridged.otherLegUuid } };
  }

  /** Bytes of a recording on its node; 0 when there is none. */
  recorded(nodeId: string, recording: string): number {
    const path = join(this.world.mesh.dir, nodeId, 'recordings', recording);
    return existsSync(path) ? statSync(path).size : 0;
  }

  #keep(one: PhoneCall): PhoneCall {
    this.#made.push(one);
    return one;
  }

  /** What the door sends on once it has checked the agent's credentials. */
  async #register(name: (typeof AGENTS)[number]): Promise<void> {
    const { agent: end, address } = this.phone(name);
    const head = [
      'REGISTER sip:acme.example SIP/2.0',
      `Via: SIP/2.0/UDP ${address};branch=z9hG4bK${name}`,
      'Max-Forwards: 70',
      `From: <sip:${name}@acme.example>;tag=1`,
      `To: <sip:${name}@acme.example>`,
      `Call-ID: reg-${name}`,
      'CSeq: 1 REGISTER',
      `Contact: <sip:${name}@192.0.2.9:5060>;expires=3600`,
      `Path: <sip:flow-${name}@${address};lr>`,
      'Supported: path',
      'Content-Length: 0',
    ];
    const [host, port] = this.world.mesh.node(ROUTER).sip.split(':') as [string, string];
    const to = { host, port: Number(port), transport: 'udp' } as const;
    end.endpoint.transport.send(`${head.join('\r\n')}\r\n\r\n`, to);
    const client = this.world.mesh.client(SessionCacheServiceClient, 'session-cache-1');
    await eventually(async () => {
      const { registrations } = await call(client, 'getRegistrations', { aor: `${name}@acme.example` });
      return registrations.length > 0;
    }, `${name} is registered`);
  }
}
