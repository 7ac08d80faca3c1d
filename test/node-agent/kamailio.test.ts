import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, type Process } from '@callmesh/local';
import { BackendState, Node, NodeRole } from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import {
  FunctionMessage,
  Resource,
  Tenant,
  TenantApp,
  Trunk,
  TrunkAuth,
  TrunkKind,
} from '@callmesh/proto/tenant';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MinimalKamailio } from './minimal-kamailio.ts';
import { FakeSources } from './sources.ts';
import { Stage } from './stage.ts';

const ID = 'kama-pstn-1';
const HA1 = '0123456789abcdef0123456789abcdef';

const tenant = (id: string, enabled = true) =>
  Resource.create({
    value: { $case: 'tenant', value: Tenant.create({ id, domain: `${id}.example`, enabled }) },
  });
const link = (tenantId: string, groupId: string) => {
  const value = {
    id: `${tenantId}/general/media`,
    tenantId,
    groupId,
    function: FunctionMessage.FUNCTION_GENERAL,
    role: NodeRole.NODE_ROLE_MEDIA,
  };
  return Resource.create({ value: { $case: 'tenantApp', value: TenantApp.create(value) } });
};
const trunk = (fields: Partial<Trunk>) => {
  const value = {
    kind: TrunkKind.TRUNK_KIND_HYBRID,
    auth: TrunkAuth.TRUNK_AUTH_ADDRESS,
    enabled: true,
    ...fields,
  };
  return Resource.create({ value: { $case: 'trunk', value: Trunk.create(value) } });
};

describe('a node-agent beside a real Kamailio', () => {
  let stage: Stage;
  let kamailio: MinimalKamailio;
  let sources: FakeSources;
  let agent: Process;

  beforeAll(async () => {
    stage = await Stage.start();
    kamailio = await MinimalKamailio.start(stage, ID);
    sources = new FakeSources();
    await sources.start();
    agent = await stage.agent(ID, {
      node: { id: ID, role: 'kama-pstn', sip_uri: 'sip:127.0.0.1:5060;transport=udp' },
      backend: { kind: 'kamailio', ...kamailio.config },
      services: { state: sources.address, tenant_registry: sources.address },
    });
  });
  afterAll(async () => {
    await kamailio?.close();
    await stage?.stop();
    await sources?.stop();
  });

  const table = (name: string, wanted: Record<string, unknown>, ms?: number) =>
    eventually(
      async () => {
        expect(await kamailio.table(name)).toEqual(wanted);
        return true;
      },
      `table ${name} is ${JSON.stringify(wanted)}`,
      ms,
    );
  const destinations = (wanted: string[], ms?: number) =>
    eventually(
      async () => {
        expect((await kamailio.destinations()).sort()).toEqual(wanted);
        return true;
      },
      `destinations are ${wanted}`,
      ms,
    );
  const addresses = (wanted: string[]) =>
    eventually(async () => {
      expect(await kamailio.addresses()).toEqual({ lines: wanted, loaded: wanted.length });
      return true;
    }, `addresses are ${wanted}`);

  it('registers the edge with a start identity as epoch', async () => {
    const node = await stage.registered('kama-pstn', ID);
    expect(node).toMatchObject({ id: ID, role: NodeRole.NODE_ROLE_KAMA_PSTN, group: '' });
    expect(node.epoch).toMatch(/^\d+-\d+$/);
    expect(node.version).toMatch(/^\d+\.\d+/);
    await stage.up(ID);
  });

  it('keeps the table of nodes as the state service tells it', async () => {
    sources.node('fs-a1', 'media-a', 5080);
    sources.node('fs-a2', 'media-a', 5082, NodeStatus.NODE_STATUS_DOWN);
    sources.node('fs-b1', 'media-b', 5084);
    await table('nodes', {
      '127.0.0.1:5080': 'up|fs-a1|epoch-fs-a1',
      '127.0.0.1:5082': 'down|fs-a2|epoch-fs-a2',
      '127.0.0.1:5084': 'up|fs-b1|epoch-fs-b1',
    });
    sources.remove('fs-a2');
    await eventually(
      async () => !('127.0.0.1:5082' in (await kamailio.table('nodes'))),
      'the node that left is gone',
    );
  });

  it('keeps lists that route each trunk to its tenant’s group alone', async () => {
    sources.put(tenant('acme'), link('acme', 'media-a'), tenant('globex'), link('globex', 'media-b'));
    sources.put(
      trunk({
        id: 'acme-pbx',
        tenantId: 'acme',
        sourceAddresses: ['127.0.0.1:5070', '192.0.2.0/24'],
        contactUri: 'sip:127.0.0.1:5070',
      }),
      trunk({
        id: 'globex-pbx',
        tenantId: 'globex',
        auth: TrunkAuth.TRUNK_AUTH_DIGEST,
        username: 'pbx',
        realm: 'globex.example',
        ha1Md5: HA1,
      }),
    );
    await destinations(['1 sip:127.0.0.1:5080;transport=udp', '2 sip:127.0.0.1:5084;transport=udp']);
    await addresses(['1 127.0.0.1 32 5070 acme|acme-pbx|auto', '1 192.0.2.0 24 0 acme|acme-pbx|auto']);
    await table('trunkauth', {
      'pbx@globex.example': `${HA1}|2|globex|globex-pbx|auto`,
      '@globex.example': '1',
    });
    await table('trunkdest', { '127.0.0.1:5070': 'acme|acme-pbx|auto' });
    expect((await stage.status(agent)).fallbackDestinations).toBe(2);
  });

  it('takes a disabled tenant and a removed trunk out at once', async () => {
    sources.put(tenant('acme', false));
    await addresses([]);
    await table('trunkdest', {});
    sources.put(tenant('acme'));
    await addresses(['1 127.0.0.1 32 5070 acme|acme-pbx|auto', '1 192.0.2.0 24 0 acme|acme-pbx|auto']);
    sources.removeTrunk('globex-pbx');
    await table('trunkauth', {});
  });

  it('takes a node that is no longer up out of the list, and keeps it in the table', async () => {
    sources.node('fs-b1', 'media-b', 5084, NodeStatus.NODE_STATUS_DRAINING);
    await destinations(['1 sip:127.0.0.1:5080;transport=udp']);
    expect((await kamailio.table('nodes'))['127.0.0.1:5084']).toBe('draining|fs-b1|epoch-fs-b1');
    sources.node('fs-b1', 'media-b', 5084);
    await destinations(['1 sip:127.0.0.1:5080;transport=udp', '2 sip:127.0.0.1:5084;transport=udp']);
  });

  it('knows the instances of policy, and keeps the last ones when etcd says there are none', async () => {
    await stage.etcd.put('/callmesh/services/policy-http/policy-1', '127.0.0.1:7101');
    await stage.etcd.put('/callmesh/services/policy-http/policy-2', '127.0.0.1:7102');
    await table('policy', { count: 2, 0: 'http://127.0.0.1:7101', 1: 'http://127.0.0.1:7102' });
    await stage.etcd.delete('/callmesh/services/policy-http/policy-1');
    await table('policy', { count: 1, 0: 'http://127.0.0.1:7102' });
    await stage.etcd.delete('/callmesh/services/policy-http/policy-2');
    await stage.etcd.put('/callmesh/services/policy-http/policy-3', '127.0.0.1:7103');
    await table('policy', { count: 1, 0: 'http://127.0.0.1:7103' });
  });

  it('gives a restarted Kamailio everything again, as another life', async () => {
    const before = await stage.registered('kama-pstn', ID);
    const tables = await Promise.all(['nodes', 'policy', 'trunkdest'].map((name) => kamailio.table(name)));
    await kamailio.process.kill();
    await stage.unregistered('kama-pstn', ID);
    await stage.load(ID, ({ backend }) => backend === BackendState.BACKEND_STATE_DOWN, 'down');
    await kamailio.process.start();
    const after = await stage.registered('kama-pstn', ID);
    expect(after.epoch).not.toBe(before.epoch);
    for (const [index, name] of ['nodes', 'policy', 'trunkdest'].entries()) await table(name, tables[index]!);
    await destinations(['1 sip:127.0.0.1:5080;transport=udp', '2 sip:127.0.0.1:5084;transport=udp']);
  });

  it('says stuck when Kamailio stops answering, and writes what changed meanwhile', async () => {
    kamailio.process.freeze();
    try {
      await stage.load(ID, ({ backend }) => backend === BackendState.BACKEND_STATE_STUCK, 'stuck');
      sources.node('fs-a3', 'media-a', 5086);
    } finally {
      kamailio.process.thaw();
    }
    await stage.up(ID);
    await destinations([
      '1 sip:127.0.0.1:5080;transport=udp',
      '1 sip:127.0.0.1:5086;transport=udp',
      '2 sip:127.0.0.1:5084;transport=udp',
    ]);
  });

  it('asks etcd when the state service is silent', async () => {
    const node = (id: string, port: number) =>
      Node.create({
        id,
        role: NodeRole.NODE_ROLE_MEDIA,
        group: 'media-a',
        sipUri: `sip:127.0.0.1:${port}`,
        epoch: 'e',
        weight: 1,
      });
    const register = (one: Node) =>
      stage.etcd.put(`/callmesh/nodes/media/${one.id}`, JSON.stringify(Node.toJSON(one)));
    for (const [id, port] of [
      ['fs-a1', 5080],
      ['fs-b1', 5084],
      ['fs-new', 5088],
    ] as const)
      await register(node(id, port));
    await sources.stop();
    await eventually(
      async () => (await kamailio.table('nodes'))['127.0.0.1:5088'] === 'up|fs-new|e',
      'etcd’s node is known',
    );
    await stage.etcd.put('/callmesh/admin/fs-new', 'draining');
    await eventually(
      async () => (await kamailio.table('nodes'))['127.0.0.1:5088'] === 'draining|fs-new|e',
      'it drains',
    );
    await eventually(
      async () => (await kamailio.table('nodes'))['127.0.0.1:5086'] === 'down|fs-a3|epoch-fs-a3',
      'what is not registered is down after a while',
      15_000,
    );
  });

  it('starts without anybody and gives a fresh Kamailio what was last known', async () => {
    await Promise.all([agent.kill(), kamailio.process.kill(), stage.etcdServer.process.stop()]);
    rmSync(kamailio.config.dispatcher_list);
    await agent.start();
    await kamailio.process.start();
    await eventually(
      async () => (await kamailio.table('nodes'))['127.0.0.1:5080'] !== undefined,
      'nodes are known',
    );
    expect((await kamailio.table('policy')).count).toBe(1);
    expect((await kamailio.addresses()).lines).toHaveLength(2);
    await destinations(['1 sip:127.0.0.1:5080;transport=udp', '1 sip:127.0.0.1:5084;transport=udp']);
    await stage.etcdServer.process.start();
    await sources.start();
    await stage.registered('kama-pstn', ID);
    await destinations([
      '1 sip:127.0.0.1:5080;transport=udp',
      '1 sip:127.0.0.1:5086;transport=udp',
      '2 sip:127.0.0.1:5084;transport=udp',
    ]);
  });

  it('leaves what Kamailio has while it knows nothing itself', async () => {
    const before = await kamailio.table('nodes');
    await agent.stop();
    await stage.unregistered('kama-pstn', ID, 500);
    await sources.stop();
    await stage.etcdServer.process.stop();
    rmSync(join(stage.dir, `${ID}-agent`, 'edge.json'));
    await agent.start();
    expect(await kamailio.table('nodes')).toEqual(before);
    expect((await kamailio.destinations()).length).toBe(3);
    await stage.etcdServer.process.start();
    await sources.start();
    await stage.registered('kama-pstn', ID);
  });
});
