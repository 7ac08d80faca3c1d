import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Edge, edgeAgentConfig, eventually, freePort, kamailioEdge } from '@callmesh/local';
import type { AuditEvent } from '@callmesh/proto/audit';
import { NodeRole } from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import { Agent as AgentRow, FunctionMessage, Resource, Tenant, TenantApp } from '@callmesh/proto/tenant';
import { consumeAuditBatches, type EventConsumer } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { serviceProcess } from '../../deploy/local/src/service.ts';
import { Agent, alice, bob, dave } from '../sip/agent.ts';
import { type Account, authorize } from '../sip/credentials.ts';
import { SipPeer } from '../sip/peer.ts';
import { Router } from '../sip/router.ts';
import { WebPeer } from '../sip/web-peer.ts';
import { TOKEN } from '../support/app.ts';
import { FakeSources } from './sources.ts';
import { Stage } from './stage.ts';

const ID = 'kama-wss-1';
const acmePage = 'https://agents.acme.example';
const bravoPage = 'https://bravo.example';
const carol: Account = { user: 'carol', realm: 'acme.example', password: 'carols-secret' };

const ha1 = ({ user, realm, password }: Account) =>
  createHash('md5').update(`${user}:${realm}:${password}`).digest('hex');
const tenant = (id: string, webOrigins: string[]) =>
  Resource.create({
    value: {
      $case: 'tenant',
      value: Tenant.create({ id, domain: `${id}.example`, enabled: true, webOrigins }),
    },
  });
const agentRow = (account: Account, enabled = true) => {
  const value = AgentRow.create({
    id: `${account.user}@${account.realm}`,
    tenantId: account.realm.split('.')[0]!,
    username: account.user,
    ha1Md5: ha1(account),
    enabled,
  });
  return Resource.create({ value: { $case: 'agent', value } });
};
const link = Resource.create({
  value: {
    $case: 'tenantApp',
    value: TenantApp.create({
      id: '*/general/router',
      tenantId: '*',
      groupId: 'routers',
      function: FunctionMessage.FUNCTION_GENERAL,
      role: NodeRole.NODE_ROLE_ROUTER,
    }),
  },
});

describe('the agents’ door with its agent, policy and event stream', () => {
  let stage: Stage;
  let edge: Edge;
  let router: Router;
  let door: { address: string; port: number };
  let consumer: EventConsumer;
  const sources = new FakeSources();
  const events: AuditEvent[] = [];
  const peers: { close(): void }[] = [];

  beforeAll(async () => {
    stage = await Stage.start();
    router = await Router.open();
    await sources.start();
    sources.put(link, tenant('acme', [acmePage]), tenant('bravo', [bravoPage]));
    sources.put(agentRow(alice), agentRow(bob), agentRow(carol, false), agentRow(dave));
    door = { address: '127.0.0.1', port: await freePort() };
    const sipPort = await freePort();
    sources.node(
      'fs-router-1',
      'routers',
      router.peer.port,
      NodeStatus.NODE_STATUS_UP,
      NodeRole.NODE_ROLE_ROUTER,
    );
    sources.node(ID, '', sipPort, NodeStatus.NODE_STATUS_UP, NodeRole.NODE_ROLE_KAMA_WSS);
    edge = await kamailioEdge({
      ...{ id: ID, dir: join(stage.dir, ID), role: 'kama-wss', sipPort, agentPort: door.port, token: TOKEN },
      defines: { CHILDREN: '2', TCP_CHILDREN: '1', HTTP_WORKERS: '1', POLICY_TIMEOUT_MS: '2000' },
    });
    await stage.run(edge.process);
    const services = { state: sources.address, tenant_registry: sources.address };
    await stage.agent(ID, {
      ...edgeAgentConfig(edge),
      services,
    });
    const around = { dir: stage.dir, etcd: stage.etcdServer.url, nats: stage.natsServer.url, token: TOKEN };
    await stage.run(
      serviceProcess(around, 'policy', 'policy-1', {
        services: { ...services, session_cache: '127.0.0.1:9' },
      }),
    );
    consumer = consumeAuditBatches(
      stage.app,
      stage.nats,
      'test',
      async (batch) => void events.push(...batch),
    );
    await consumer.start?.();
    await eventually(
      async () => (await (await browser()).register()).status === 200,
      'an agent gets in',
      30_000,
    );
  }, 120_000);
  afterEach(() => {
    for (const peer of peers.splice(0)) peer.close();
  });
  afterAll(async () => {
    await consumer?.stop?.();
    await stage?.stop();
    await sources.stop();
    router?.peer.close();
  });

  async function browser(
    account: Account = alice,
    origin = acmePage,
    localAddress = '127.0.0.3',
  ): Promise<Agent> {
    const peer = await WebPeer.open(`ws://127.0.0.1:${door.port}`, { origin, localAddress });
    peers.push(peer);
    return new Agent(peer, door, account);
  }

  /**
   * All that is told of what `act` tries. What is told of a stranger afterwards shows that nothing more
   * comes: in each of the orders that are kept, that of every tenant and that of none.
   */
  async function toldOf(act: () => Promise<unknown>): Promise<Partial<AuditEvent>[]> {
    events.length = 0;
    await act();
    await (await browser({ ...alice, user: 'stranger' }, acmePage, '127.0.0.99')).register();
    await (await browser({ ...dave, user: 'stranger' }, bravoPage, '127.0.0.99')).register();
    await browser(alice, 'https://evil.example', '127.0.0.99').catch(() => {});
    const strangers = () => events.filter(({ actor }) => actor === '127.0.0.99');
    await eventually(() => strangers().length === 3, 'the stranger is told of');
    return events
      .filter((event) => !strangers().includes(event))
      .map(({ what, code, tenantId }) => ({ what, code, tenantId }));
  }

  it('lets an agent in, at the router policy names, and tells of nothing', async () => {
    const told = await toldOf(async () => {
      const agent = await browser();
      expect((await agent.register()).status).toBe(200);
      expect(router.bindings.at(-1)).toMatchObject({ aor: 'alice@acme.example' });
      expect((await agent.call(agent.dial('bob'))).status).toBe(200);
    });
    expect(told).toEqual([]);
  });

  it.each<readonly [string, Account, string]>([
    ['a wrong password', { ...alice, password: 'guess' }, 'unauthenticated'],
    ['an unknown agent', { ...alice, user: 'mallory' }, 'unauthenticated'],
    ['an agent that is switched off', carol, 'agent_disabled'],
  ])('refuses %s with 403 and one event', async (_, account, code) => {
    const told = await toldOf(async () => {
      expect((await (await browser(account)).register()).status).toBe(403);
    });
    expect(told).toEqual([{ what: 'register', code, tenantId: 'acme' }]);
  });

  it('refuses a foreign Origin with one event', async () => {
    const told = await toldOf(() =>
      expect(browser(alice, 'https://evil.example')).rejects.toThrow('403 Origin Forbidden'),
    );
    expect(told).toEqual([{ what: 'origin', code: 'origin_forbidden', tenantId: '' }]);
  });

  it('refuses an agent on another tenant’s page with one event', async () => {
    const told = await toldOf(async () => {
      const no = await (await browser(alice, bravoPage)).register();
      expect(no.startLine).toBe('SIP/2.0 403 Origin Forbidden');
    });
    expect(told).toEqual([{ what: 'register', code: 'origin_forbidden', tenantId: 'acme' }]);
  });

  it('refuses a tenant’s credentials for another tenant’s address with one event', async () => {
    const told = await toldOf(async () => {
      const agent = await browser();
      const challenge = await agent.attempt();
      expect((await agent.attempt({ aor: 'sip:dave@bravo.example' }, challenge)).status).toBe(403);
    });
    expect(told).toEqual([{ what: 'register', code: 'tenant_forbidden', tenantId: 'bravo' }]);
  });

  it('refuses a replayed nonce with one event', async () => {
    const told = await toldOf(async () => {
      const agent = await browser();
      const challenge = await agent.attempt();
      expect((await agent.attempt({}, challenge)).status).toBe(200);
      const thief = await browser();
      expect((await thief.attempt({}, challenge)).status).toBe(401);
    });
    expect(told).toEqual([{ what: 'replay', code: 'unauthenticated', tenantId: 'acme' }]);
  });

  it('refuses a call in a colleague’s name with one event, however often it is retransmitted', async () => {
    const told = await toldOf(async () => {
      const peer = await SipPeer.open('127.0.0.4');
      peers.push(peer);
      const dialog = new Agent(peer, door, bob).dial('carol');
      dialog.send('INVITE');
      const { message: challenge } = await dialog.reply('INVITE');
      dialog.acknowledgeRefusal(challenge);
      dialog.cseq += 1;
      const credentials = authorize(alice, challenge, 'INVITE', dialog.target);
      const text = dialog.request('INVITE', { headers: [['Authorization', credentials]] });
      for (let i = 0; i < 5; i++) peer.send(text, door);
      const { message: no } = await dialog.reply('INVITE');
      expect(no.status).toBe(403);
      dialog.acknowledgeRefusal(no);
    });
    expect(told).toEqual([{ what: 'call', code: 'unauthenticated', tenantId: 'acme' }]);
  });
});
