import { Uac } from '@callmesh/standin/uac';
import { mediaNodes, type TestTenant, World } from '../mesh/world.ts';
import { type Account, ha1Of } from '../sip/credentials.ts';

const alice: Account = { user: 'alice', realm: 'acme.example', password: 'secret-of-alice' };
const EXTENSION = '1001';
const acme: TestTenant = {
  ...{ id: 'acme', host: '127.0.12.1', group: 'red', number: '+4930100100' },
  destination: { destination_kind: 'announcement', destination: 'tone_stream://%(1000,0,425)' },
  tenant: { max_calls: 100, max_cps: 50 },
  trunk: { media_anchor: 'always' },
  more: {
    links: [{ function: 'internal', group_id: 'red', role: 'media' }],
    agents: [
      {
        username: alice.user,
        extension: EXTENSION,
        display_name: 'Alice',
        voicemail: false,
        ha1_md5: ha1Of(alice),
      },
    ],
  },
};
/** What the PBX dials in turn: an announcement, and an agent. */
const DIALLED = [acme.number, acme.number, EXTENSION];

/** A whole mesh at work: calls come and go, some are refused, an agent is registered and called. */
export class BusyMesh {
  readonly world: World;
  readonly #agent: Uac;
  readonly #stranger: Uac;
  #busy = true;
  #calls: Promise<void>;

  private constructor(world: World, agent: Uac, stranger: Uac) {
    this.world = world;
    this.#agent = agent;
    this.#stranger = stranger;
    this.#calls = this.#call();
  }

  static async start(): Promise<BusyMesh> {
    const world = await World.start([acme], {
      nodes: [
        ...mediaNodes('red', 2, { set: { parkS: 60 } }),
        { id: 'fs-router-1', role: 'router', group: 'routers', max: 400 },
      ],
      replicas: { 'call-control': 1 },
      doors: [{ id: 'kama-wss-1' }],
      rtpengines: 1,
    });
    const agent = await Uac.open({ host: '127.0.12.2', user: alice.user });
    const stage = new BusyMesh(world, agent, await Uac.open({ host: '127.0.12.3' }));
    const { user, realm, password } = alice;
    const registered = await agent.register({
      proxy: world.mesh.door().sip,
      aor: `sip:${user}@${realm}`,
      credentials: { username: user, password },
    });
    if (registered.status !== 200) throw new Error(`the agent was not registered: ${registered.status}`);
    return stage;
  }

  async stop(): Promise<void> {
    this.#busy = false;
    await this.#calls;
    this.#agent.close();
    this.#stranger.close();
    await this.world.stop();
  }

  /** Everything that serves /metrics, by what it is. */
  get targets(): Record<string, string[]> {
    const { mesh } = this.world;
    return {
      callmesh: [...mesh.services.values()].map(({ ready }) => ready.http!),
      kamailio: [mesh.edge, mesh.door().edge].map(({ metricsPort }) => `127.0.0.1:${metricsPort}`),
      rtpengine: mesh.rtpengines.map(({ metrics }) => metrics!),
    };
  }

  async #call(): Promise<void> {
    const pbx = await this.world.pbx(acme);
    while (this.#busy) {
      const call = (index: number) =>
        this.world.to(acme, { to: `sip:${DIALLED[index % DIALLED.length]}@acme.example` });
      const refused = this.#stranger.call(this.world.to(acme)).outcome;
      await pbx.run({ count: 9, rate: 9, holdMs: 700, call });
      await refused;
    }
  }
}
