import { eventually, type NodeSpec } from '@callmesh/local';
import { type Registration, SessionCacheServiceClient } from '@callmesh/proto/session';
import { NodeStatus } from '@callmesh/proto/state';
import { call } from '@callmesh/runtime';
import { Agent } from '../sip/agent.ts';
import { type Account, ha1Of } from '../sip/credentials.ts';
import { header, replyTo, sdp } from '../sip/message.ts';
import { page, WebPeer } from '../sip/web-peer.ts';
import type { ServerKind } from './call-stage.ts';
import { mediaNodes, type TestTenant, World } from './world.ts';

const DOORS = ['kama-wss-1', 'kama-wss-2'] as const;
export const ROUTERS = ['fs-router-1', 'fs-router-2'] as const;

const account = (n: number): Account => ({
  user: `agent-${n}`,
  realm: 'acme.example',
  password: `secret-of-${n}`,
});

function tenant(agents: number): TestTenant {
  return {
    ...{ id: 'acme', host: '127.0.46.1', group: 'red', number: '+4930100400' },
    tenant: { web_origins: [page] },
    more: {
      links: [{ function: 'internal', group_id: 'red', role: 'media' }],
      agents: Array.from({ length: agents }, (_, n) => ({
        username: account(n).user,
        extension: String(10_000 + n),
        display_name: account(n).user,
        voicemail: false,
        ha1_md5: ha1Of(account(n)),
      })),
    },
  };
}

/** An agent's page: it registers as it is told to, and answers what it is called with. */
export interface Page {
  readonly n: number;
  readonly peer: WebPeer;
  readonly agent: Agent;
}

/** Many agents of one tenant behind two doors and two routers, and the tenant's PBX that calls them. */
export class AgentStage {
  readonly world: World;
  readonly tenant: TestTenant;

  private constructor(world: World, of: TestTenant) {
    this.world = world;
    this.tenant = of;
  }

  static async start(server: ServerKind, agents: number, knobs: Record<string, string>): Promise<AgentStage> {
    const acme = tenant(agents);
    const carries = { server, max: 400, ...(server === 'standin' && { set: { parkS: 60 } }) };
    const routers = ROUTERS.map(
      (id): NodeSpec => ({ id, role: 'router', group: 'routers', server, max: 400 }),
    );
    const world = await World.start([acme], {
      nodes: [...mediaNodes('red', 2, carries), ...routers],
      replicas: { 'call-control': 1, policy: 2 },
      doors: DOORS.map((id) => ({ id, knobs })),
      // How long a call takes is for the rules to judge: nothing shall be given up earlier on a slow machine.
      knobs: { POLICY_TIMEOUT_MS: '2000', FR_TIMER_MS: '2000' },
    });
    return new AgentStage(world, acme);
  }

  stop(): Promise<void> {
    return this.world.stop();
  }

  /** Connects an agent's page to a door, and registers until it is let in: again when it is told to. */
  async comeIn(n: number, door: string, before?: Page): Promise<Page> {
    const { ws, sip } = this.world.mesh.door(door);
    const peer = await connected(ws, `127.0.2.${1 + (n % 50)}`);
    if (before) peer.contact = before.peer.contact;
    const [address = '', port = ''] = sip.split(':');
    const place = { address, port: Number(port) };
    const agent = before?.agent.at(peer, place) ?? new Agent(peer, place, account(n));
    answering(peer);
    for (;;) {
      const challenge = await agent.attempt({}, undefined, 1, 20_000);
      const reply = challenge.status === 401 ? await agent.attempt({}, challenge, 1, 20_000) : challenge;
      if (reply.status === 200) return { n, peer, agent };
      const retryAfter = Number(header(reply, 'Retry-After'));
      if (reply.status !== 503 || !retryAfter) throw new Error(reply.startLine);
      await new Promise((resolve) => setTimeout(resolve, retryAfter * 1000));
    }
  }

  /** When this page is called next. */
  async rings({ peer }: Page): Promise<number> {
    await peer.takeRequest('INVITE', 20_000);
    return performance.now();
  }

  /** The PBX calls this agent's extension. */
  async dial(n: number) {
    const pbx = await this.world.pbx(this.tenant);
    return pbx.call(this.world.to(this.tenant, { to: `sip:${10_000 + n}@acme.example` }));
  }

  /** What session-cache has of a router or a door. */
  async registrations(of: { routerId?: string; edgeId?: string }): Promise<Registration[]> {
    const client = this.world.mesh.client(SessionCacheServiceClient, 'session-cache-1');
    const found: Registration[] = [];
    for (let pageToken = ''; ; ) {
      const request = { tenantId: '', edgeId: '', routerId: '', pageSize: 1000, pageToken, ...of };
      const { registrations, nextPageToken } = await call(client, 'listRegistrations', request);
      found.push(...registrations);
      pageToken = nextPageToken;
      if (!pageToken) return found;
    }
  }

  async until(what: string, of: { routerId?: string; edgeId?: string }, count: number, ms = 15_000) {
    await eventually(async () => (await this.registrations(of)).length === count, what, ms);
  }

  /** Only this router is there. */
  async alone(router: (typeof ROUTERS)[number]): Promise<() => Promise<void>> {
    const others = ROUTERS.filter((id) => id !== router);
    for (const id of others) {
      await this.world.mesh.node(id).server.kill();
      await this.world.mesh.until(id, NodeStatus.NODE_STATUS_DOWN);
    }
    return async () => {
      for (const id of others) {
        await this.world.mesh.node(id).server.start();
        await this.world.mesh.until(id, NodeStatus.NODE_STATUS_UP);
      }
    };
  }
}

/** Rings, answers, and takes whatever else comes. */
function answering(peer: WebPeer): void {
  peer.handler = (message) => {
    if (!message.method || message.method === 'ACK') return;
    const options = { toTag: `of-${peer.contact.slice(4, 12)}`, contact: peer.contact };
    const say = (status: number, reason: string, body = '') =>
      peer.send(replyTo(message, status, reason, { ...options, ...(body && { body }) }));
    if (message.method !== 'INVITE') return say(200, 'OK');
    say(180, 'Ringing');
    say(200, 'OK', sdp('127.0.0.3', 40_000));
  };
}

/** Kamailio gives up a connection that no worker has taken after two seconds: then it is made anew. */
async function connected(url: string, localAddress: string): Promise<WebPeer> {
  for (let tries = 1; ; tries++) {
    try {
      return await WebPeer.open(url, { localAddress });
    } catch (error) {
      if (tries === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
