import { createHash } from 'node:crypto';
import { AgentPage, type AgentsDoor, eventually, freeswitchBinary, type Mesh } from '@callmesh/local';
import type { AuditEvent } from '@callmesh/proto/audit';
import { consumeAuditBatches, type EventConsumer, Nats } from '@callmesh/runtime';
import { mediaNodes, type TestTenant, World } from '../mesh/world.ts';
import { Phone, type PhoneCall } from '../sip/phone.ts';
import { testApp } from '../support/app.ts';
import { Chromium } from './chromium.ts';
import { WebAgent } from './web-agent.ts';

/** Who speaks with which voice, hertz. */
export const VOICES = { alice: 600, bob: 900, customer: 440 };
export const PASSWORD = 'only-in-a-test';
const DID = '+4930100100';
const server = freeswitchBinary() ? 'freeswitch' : 'standin';

const agent = (username: string, domain: string, extension: string) => ({
  ...{ username, extension, display_name: username, voicemail: false },
  ha1_md5: createHash('md5').update(`${username}:${domain}:${PASSWORD}`).digest('hex'),
});

function tenants(page: string): TestTenant[] {
  return [
    {
      ...{ id: 'acme', host: '127.0.46.1', group: 'red', number: DID },
      destination: { destination_kind: 'agent', destination: 'alice@acme.example' },
      tenant: { web_origins: [page] },
      more: {
        links: ['conference', 'internal'].map((fn) => ({ function: fn, group_id: 'red', role: 'media' })),
        agents: [agent('alice', 'acme.example', '1001'), agent('bob', 'acme.example', '1002')],
      },
    },
    {
      ...{ id: 'bravo', host: '127.0.46.2', group: 'red', number: '+4930200200' },
      tenant: { web_origins: ['https://bravo.example'] },
      more: { agents: [agent('dave', 'bravo.example', '2001')] },
    },
  ];
}

/** Browsers at the agents' page, a customer outside, and the whole mesh between: FreeSWITCH where there is one. */
export class BrowserStage {
  readonly page: AgentPage;
  readonly customer: Phone;
  readonly told: AuditEvent[] = [];
  #world!: World;
  #consumer: EventConsumer | undefined;
  #nats: Nats | undefined;
  readonly #browsers: Chromium[] = [];
  readonly #calls: PhoneCall[] = [];

  private constructor(page: AgentPage, customer: Phone) {
    this.page = page;
    this.customer = customer;
  }

  static async start(): Promise<BrowserStage> {
    const customer = await Phone.open('customer', VOICES.customer, '127.0.46.1');
    const stage = new BrowserStage(await AgentPage.open(), customer);
    try {
      await stage.#start();
      return stage;
    } catch (error) {
      await stage.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const carries = { server, max: 100 } as const;
    const relays = { rtp: 'echo' };
    this.#world = await World.start(tenants(this.page.origin), {
      nodes: [
        ...mediaNodes('red', 2, { ...carries, set: { ...relays, parkS: 60 } }),
        { id: 'fs-router-1', role: 'router', group: 'routers', ...carries, set: relays },
      ],
      replicas: { 'call-control': 1 },
      rtpengines: 1,
      doors: [{ id: 'kama-wss-1', tls: true }],
    });
    this.page.config = { server: this.door.ws };
    const app = testApp('browser', { nats: { servers: [this.mesh.nats.url] } });
    this.#nats = new Nats(app, app.config.nats);
    await this.#nats.start();
    this.#consumer = consumeAuditBatches(
      app,
      this.#nats,
      'browser',
      async (batch) => void this.told.push(...batch),
    );
    await this.#consumer.start?.();
  }

  get mesh(): Mesh {
    return this.#world.mesh;
  }

  get door(): AgentsDoor {
    return this.mesh.door();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#browsers.map((browser) => browser.close()));
    this.customer.close();
    await this.#consumer?.stop?.();
    await this.#nats?.stop();
    await this.#world?.stop();
    await this.page.close();
  }

  /** A browser whose microphone hears this tone. */
  async browser(hertz: number): Promise<Chromium> {
    const browser = await Chromium.launch(hertz);
    this.#browsers.push(browser);
    return browser;
  }

  /** An agent who has signed in: alice over WS, bob over WSS. */
  async agent(name: 'alice' | 'bob'): Promise<WebAgent> {
    const browser = await this.browser(VOICES[name]);
    const server = name === 'bob' ? this.door.tls!.wss : this.door.ws;
    const web = new WebAgent(await browser.page(`${this.page.origin}?${new URLSearchParams({ server })}`));
    await web.signIn(`${name}@acme.example`, PASSWORD);
    await web.ready();
    return web;
  }

  /** The customer calls the number that is alice's. */
  async customerCalls(): Promise<PhoneCall> {
    const proxy = `127.0.0.1:${this.mesh.edge.sipPort}`;
    const call = await this.customer.call({ proxy, to: `sip:${DID}@acme.example` });
    this.#calls.push(call);
    return call;
  }

  /** Nothing is left of what a test did at the customer's. */
  async clear(): Promise<void> {
    for (const call of this.#calls.splice(0)) call.hangUp();
    await eventually(async () => {
      const rows = await this.mesh.table();
      return rows.every(({ load }) => (load?.sessions ?? 0) === 0);
    }, 'no leg is left');
  }
}
