import { join } from 'node:path';
import {
  type Edge,
  edgeAgentConfig,
  eventually,
  freePort,
  kamailioEdge,
  type Process,
} from '@callmesh/local';
import { NodeRole } from '@callmesh/proto/node';
import { FunctionMessage, Resource, Tenant, TenantApp } from '@callmesh/proto/tenant';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KamailioRpc } from '../../services/node-agent/src/adapters/kamailio/rpc.ts';
import { readTable } from '../../services/node-agent/src/adapters/kamailio/tables.ts';
import { WebPeer } from '../sip/web-peer.ts';
import { FakeSources } from './sources.ts';
import { Stage } from './stage.ts';

const ID = 'kama-wss-1';
const page = 'https://agents.acme.example';

const tenant = (webOrigins: string[], enabled = true) =>
  Resource.create({
    value: {
      $case: 'tenant',
      value: Tenant.create({ id: 'acme', domain: 'acme.example', enabled, webOrigins }),
    },
  });
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

describe('a node-agent beside the agents’ door', () => {
  let stage: Stage;
  let sources: FakeSources;
  let edge: Edge;
  let agent: Process;
  let agentPort: number;
  let rpc: KamailioRpc;

  beforeAll(async () => {
    stage = await Stage.start();
    agentPort = await freePort();
    edge = await kamailioEdge({
      id: ID,
      dir: join(stage.dir, ID),
      role: 'kama-wss',
      sipPort: await freePort(),
      agentPort,
      token: 'token-of-the-test',
      defines: { CHILDREN: '2', TCP_CHILDREN: '1', HTTP_WORKERS: '1' },
    });
    await stage.run(edge.process);
    rpc = new KamailioRpc({ fifo: edge.fifo, replyDir: edge.replyDir }, 'test');
    sources = new FakeSources();
    await sources.start();
    agent = await stage.agent(ID, {
      ...edgeAgentConfig(edge),
      services: { state: sources.address, tenant_registry: sources.address },
    });
  });
  afterAll(async () => {
    await rpc?.close();
    await stage?.stop();
    await sources?.stop();
  });

  const table = (name: string, wanted: Record<string, unknown>) =>
    eventually(
      async () => {
        expect(Object.fromEntries(await readTable(rpc, name))).toEqual(wanted);
        return true;
      },
      `table ${name} is ${JSON.stringify(wanted)}`,
    );
  const opens = async (origin: string) => {
    const peer = await WebPeer.open(`ws://127.0.0.1:${agentPort}`, { origin });
    peer.close();
    return true;
  };

  it('registers the edge, in no group, with a start identity as epoch', async () => {
    const node = await stage.registered('kama-wss', ID);
    expect(node).toMatchObject({ id: ID, role: NodeRole.NODE_ROLE_KAMA_WSS, group: '' });
    // With the name its flows bear, so that a router tells the flows of this life from those of another.
    const life = (await rpc.ask('htable.get', ['own', 'life'])) as { item: { value: string } };
    expect(node.epoch).toMatch(new RegExp(`^\\d+-\\d+-${life.item.value}$`));
    await stage.up(ID);
  });

  it('tells it the nodes, the routers of each tenant, and the pages browsers may come from', async () => {
    await expect(opens(page)).rejects.toThrow('403');
    sources.node('fs-router-1', 'routers', 5090, undefined, NodeRole.NODE_ROLE_ROUTER);
    sources.node('fs-media-1', 'media-a', 5080);
    sources.put(link, tenant([page, 'https://second.example']));
    await table('nodes', {
      '127.0.0.1:5090': 'up|fs-router-1|epoch-fs-router-1',
      '127.0.0.1:5080': 'up|fs-media-1|epoch-fs-media-1',
    });
    await table('origins', { [page]: '1', 'https://second.example': '1' });
    await table('tenants', { acme: '1' });
    const answer = JSON.stringify(await rpc.ask('dispatcher.list'));
    expect(answer).toContain('127.0.0.1:5090');
    expect(answer).not.toContain('127.0.0.1:5080');
    expect(await opens(page)).toBe(true);
  });

  it('takes a page away with its tenant’s permission', async () => {
    sources.put(tenant([page]));
    await table('origins', { [page]: '1' });
    await expect(opens('https://second.example')).rejects.toThrow('403');
  });

  it('tells it all again after it was killed, and that it is another life', async () => {
    const { epoch } = await stage.registered('kama-wss', ID);
    await edge.process.kill();
    await stage.unregistered('kama-wss', ID);
    await edge.process.start();
    expect((await stage.registered('kama-wss', ID)).epoch).not.toBe(epoch);
    await table('origins', { [page]: '1' });
    await table('tenants', { acme: '1' });
    expect(await opens(page)).toBe(true);
  });

  it('lets its door open from memory while registry and state are away', async () => {
    await sources.stop();
    await agent.kill();
    await edge.process.kill();
    await edge.process.start();
    await agent.start();
    await table('origins', { [page]: '1' });
    await table('tenants', { acme: '1' });
    expect(await opens(page)).toBe(true);
    await sources.start();
  });
});
