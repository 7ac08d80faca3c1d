import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { Agent } from './agent.ts';
import type { Address } from './caller.ts';
import { type Account, digestParameters, ha1Of, isRight } from './credentials.ts';
import { type Answer, FakePolicy, refusal, routeTo, type Script } from './fake-policy.ts';
import { Kamailio, type Knobs } from './kamailio.ts';
import type { NodeBehaviour } from './node.ts';
import { SipPeer } from './peer.ts';
import { Router } from './router.ts';
import { page, type WebOptions, WebPeer } from './web-peer.ts';

/** What tests of the agents' door stand on: one edge and one policy per file, all else per test. */
export interface AgentsStage {
  readonly edge: Kamailio;
  readonly policy: FakePolicy;
  /** Where agents reach the door. */
  readonly door: Address;
  /** A router the edge knows. */
  router(behaviour?: NodeBehaviour): Promise<Router>;
  /** A browser on a page that is allowed, unless it says another. */
  browser(options?: WebOptions): Promise<WebPeer>;
  /** An agent in a browser. */
  webAgent(account: Account, options?: WebOptions): Promise<Agent>;
  /** One that has registered, as who calls must have; of its questions policy remembers nothing. */
  registered(account: Account): Promise<Agent>;
  /** The page of an agent with a new socket: contact and Call-ID stay. */
  back(agent: Agent): Promise<Agent>;
  /** An agent with a phone that speaks UDP. */
  udpAgent(account: Account, address?: string): Promise<Agent & { readonly peer: SipPeer }>;
}

/** Registers the hooks of one `describe`; the stage is filled when they run. */
export function agentsStage(knobs: () => Knobs | Promise<Knobs> = () => ({})): AgentsStage {
  const open: Array<{ close(): void }> = [];
  const keep = <T extends { close(): void }>(peer: T): T => {
    open.push(peer);
    return peer;
  };
  const it = {} as { -readonly [K in keyof AgentsStage]: AgentsStage[K] };
  it.router = async (behaviour) => {
    const router = await Router.open(behaviour);
    keep(router.peer);
    await it.edge.nodes([router.key]);
    return router;
  };
  it.browser = async (options) => keep(await WebPeer.open(`ws://127.0.0.1:${it.door.port}`, options));
  it.webAgent = async (account, options) => new Agent(await it.browser(options), it.door, account);
  it.registered = async (account) => {
    const agent = await it.webAgent(account);
    const { status } = await agent.register();
    if (status !== 200) throw new Error(`REGISTER of ${agent.aor} was answered ${status}`);
    it.policy.questions.length = 0;
    return agent;
  };
  it.back = async (agent) => {
    const peer = await it.browser();
    peer.contact = agent.peer.contact;
    return agent.at(peer);
  };
  it.udpAgent = async (account, address = '127.0.0.4') =>
    new Agent(keep(await SipPeer.open(address)), it.door, account) as Agent & { readonly peer: SipPeer };
  beforeAll(async () => {
    it.edge = await Kamailio.start(await knobs(), 'kama-wss');
    it.policy = await FakePolicy.start();
    it.door = { address: '127.0.0.1', port: it.edge.agentPort };
  });
  afterAll(async () => {
    await it.edge?.stop();
    await it.policy?.stop();
  });
  beforeEach(async () => {
    it.policy.questions.length = 0;
    it.policy.audits.length = 0;
    it.policy.probeScript = undefined;
    await it.edge.policies([it.policy.url]);
    await it.edge.rpc('htable.sets', ['origins', page, '1']);
  });
  afterEach(() => {
    for (const peer of open.splice(0)) peer.close();
  });
  return it;
}

/** Policy as far as these agents go: it knows their passwords, and sends all they do to these routers. */
export function agentPolicy(accounts: readonly Account[], routers: readonly Router[]): Script {
  return ({ path, body }) => {
    const authorization = String(body.authorization);
    const { username } = digestParameters(authorization);
    const account = accounts.find(({ user }) => user === username);
    if (!account || !isRight(account, authorization, String(body.method)))
      return refusal(401, 'unauthenticated', 403, 'Forbidden');
    return acceptAgent(account, path, routers);
  };
}

/** The answer for an agent that proved who it is. */
export function acceptAgent(
  account: Account,
  path: string,
  routers: readonly { readonly key: string }[],
): Answer {
  const tenant = account.realm.split('.')[0]!;
  const agent = `${account.user}@${account.realm}`;
  const extra = { agent, ha1: ha1Of(account), realm: account.realm, expires: 300 };
  const answer = routeTo(
    routers.map(({ key }) => key),
    { tenant, extra },
  );
  const body = answer.body as { routes: Array<{ uri: string; headers: { extra: string } }> };
  for (const route of body.routes) {
    route.headers.extra += `X-Callmesh-Agent: ${agent}\r\n`;
    if (path === '/v1/routes/register') route.uri = `sip:${account.realm}`;
  }
  return answer;
}
