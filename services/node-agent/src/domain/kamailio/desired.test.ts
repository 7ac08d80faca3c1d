import { DesiredState, Node, NodeRole } from '@callmesh/proto/node';
import {
  AppNode,
  MediaAnchor,
  FunctionMessage as Purpose,
  Resource,
  Tenant,
  TenantApp,
  Trunk,
  TrunkAuth,
  TrunkKind,
} from '@callmesh/proto/tenant';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { desiredState, type Sources, tablesOf } from './desired.ts';
import { tableChanges } from './diff.ts';
import { Directory } from './directory.ts';
import type { NodeRow, NodeStatusWord } from './node-row.ts';
import { type Absences, rowsFromEtcd, withAbsent } from './node-view.ts';
import { assignSetIds } from './set-ids.ts';
import type { Table } from './tables.ts';

const HA1 = '0123456789abcdef0123456789abcdef';

function row(
  id: string,
  group: string,
  port: number,
  status: NodeStatusWord = 'up',
  role: NodeRole = NodeRole.NODE_ROLE_MEDIA,
): NodeRow {
  const sipUri = `sip:10.0.0.1:${port};transport=udp`;
  return { node: Node.create({ id, role, group, sipUri, epoch: `e-${id}`, weight: 1 }), status };
}

const tenant = (id: string, enabled = true) =>
  Resource.create({
    value: { $case: 'tenant', value: Tenant.create({ id, domain: `${id}.example`, enabled }) },
  });
const link = (tenantId: string, groupId: string, purpose: Purpose = Purpose.FUNCTION_GENERAL) =>
  Resource.create({
    value: {
      $case: 'tenantApp',
      value: TenantApp.create({
        id: `${tenantId}/${purpose}/media`,
        tenantId,
        groupId,
        function: purpose,
        role: NodeRole.NODE_ROLE_MEDIA,
      }),
    },
  });
const trunk = (fields: Partial<Trunk> & { id: string; tenantId: string }) =>
  Resource.create({
    value: {
      $case: 'trunk',
      value: Trunk.create({
        kind: TrunkKind.TRUNK_KIND_HYBRID,
        auth: TrunkAuth.TRUNK_AUTH_ADDRESS,
        enabled: true,
        ...fields,
      }),
    },
  });

function directory(...resources: Resource[]): Directory {
  const all = new Directory();
  for (const resource of resources) all.put(resource);
  return all;
}

function sources(changes: Partial<Sources> = {}): Sources {
  return {
    role: NodeRole.NODE_ROLE_KAMA_PSTN,
    nodes: [],
    directory: new Directory(),
    policies: [],
    setIds: new Map(),
    ...changes,
  };
}

describe('the nodes table', () => {
  it('has every address of every FreeSWITCH node, with its status', () => {
    const media = row('fs-1', 'a', 5080, 'draining');
    const { tables } = desiredState(
      sources({
        nodes: [{ ...media, node: { ...media.node, sipSources: ['10.0.0.2:0/tcp', '10.0.0.1:5080/udp'] } }],
      }),
    );
    expect([...tables.nodes]).toEqual([
      ['10.0.0.1:5080', 'draining|fs-1|e-fs-1'],
      ['10.0.0.2:0', 'draining|fs-1|e-fs-1'],
    ]);
  });

  it('keeps a node that is down, so that its dialogs can ask where they moved', () => {
    expect(
      desiredState(sources({ nodes: [row('fs-1', 'a', 5080, 'down')] })).tables.nodes.get('10.0.0.1:5080'),
    ).toBe('down|fs-1|e-fs-1');
  });

  it('has no edge in it', () => {
    expect(
      desiredState(sources({ nodes: [row('k', '', 5060, 'up', NodeRole.NODE_ROLE_KAMA_PSTN)] })).tables.nodes
        .size,
    ).toBe(0);
  });

  it('names the live one of two nodes at one address', () => {
    const nodes = [row('b-new', 'a', 5080), row('a-old', 'a', 5080, 'down'), row('c-old', 'a', 5080, 'down')];
    expect(desiredState(sources({ nodes })).tables.nodes.get('10.0.0.1:5080')).toBe('up|b-new|e-b-new');
  });
});

describe('the fallback lists', () => {
  const acme = [tenant('acme'), link('acme', 'media-a')];
  const pbx = trunk({
    id: 'acme-pbx',
    tenantId: 'acme',
    sourceAddresses: ['192.0.2.1', '192.0.2.2:5070', '198.51.100.0/24'],
  });

  it('send a trunk to its tenant’s group, and a tenant without a link to the platform’s', () => {
    const { dispatcherList, addressList } = desiredState(
      sources({
        nodes: [row('fs-a', 'media-a', 5080), row('fs-b', 'media-b', 5082)],
        directory: directory(
          ...acme,
          pbx,
          tenant('globex'),
          link('*', 'media-b'),
          trunk({
            id: 'g',
            tenantId: 'globex',
            sourceAddresses: ['192.0.2.9'],
            mediaAnchor: MediaAnchor.MEDIA_ANCHOR_ALWAYS,
          }),
        ),
      }),
    );
    expect(dispatcherList).toEqual([
      '1 sip:10.0.0.1:5080;transport=udp 0 0 node=fs-a',
      '2 sip:10.0.0.1:5082;transport=udp 0 0 node=fs-b',
    ]);
    expect(addressList).toEqual([
      '1 192.0.2.1 32 0 acme|acme-pbx|auto',
      '1 192.0.2.2 32 5070 acme|acme-pbx|auto',
      '1 198.51.100.0 24 0 acme|acme-pbx|auto',
      '2 192.0.2.9 32 0 globex|g|always',
    ]);
  });

  it('follow the function of the trunk', () => {
    const { addressList } = desiredState(
      sources({
        directory: directory(
          ...acme,
          link('acme', 'bots', Purpose.FUNCTION_PREDICTIVE),
          trunk({
            id: 'd',
            tenantId: 'acme',
            function: Purpose.FUNCTION_PREDICTIVE,
            sourceAddresses: ['192.0.2.3'],
          }),
        ),
        setIds: new Map([['bots', 7]]),
      }),
    );
    expect(addressList).toEqual(['7 192.0.2.3 32 0 acme|d|auto']);
  });

  it.each([
    ['a disabled tenant', [tenant('acme', false), link('acme', 'media-a'), pbx]],
    [
      'a disabled trunk',
      [
        ...acme,
        trunk({
          id: 'acme-pbx',
          tenantId: 'acme',
          enabled: false,
          contactUri: 'sip:h',
          sourceAddresses: ['192.0.2.1'],
        }),
      ],
    ],
    [
      'a trunk without a group',
      [tenant('acme'), trunk({ id: 'acme-pbx', tenantId: 'acme', sourceAddresses: ['192.0.2.1'] })],
    ],
    [
      'a trunk of an unknown tenant',
      [link('ghost', 'media-a'), trunk({ id: 'x', tenantId: 'ghost', sourceAddresses: ['192.0.2.1'] })],
    ],
    [
      'a carrier’s trunk',
      [
        ...acme,
        trunk({
          id: 'c',
          tenantId: 'acme',
          kind: TrunkKind.TRUNK_KIND_CARRIER,
          sourceAddresses: ['192.0.2.1'],
          contactUri: 'sip:c',
        }),
      ],
    ],
    [
      'a TLS trunk',
      [
        ...acme,
        trunk({
          id: 't',
          tenantId: 'acme',
          auth: TrunkAuth.TRUNK_AUTH_TLS,
          sourceAddresses: ['192.0.2.1'],
          tlsSubject: 'x',
        }),
      ],
    ],
  ])('leave out %s', (_, resources) => {
    const { addressList, tables } = desiredState(sources({ directory: directory(...resources) }));
    expect([addressList, [...tables.trunkauth], [...tables.trunkdest]]).toEqual([[], [], []]);
  });

  it('leave out an address that two tenants claim', () => {
    const { addressList } = desiredState(
      sources({
        directory: directory(
          ...acme,
          tenant('globex'),
          link('globex', 'media-b'),
          trunk({ id: 'a', tenantId: 'acme', sourceAddresses: ['192.0.2.1'] }),
          trunk({ id: 'g', tenantId: 'globex', sourceAddresses: ['192.0.2.1', '192.0.2.2'] }),
        ),
      }),
    );
    expect(addressList).toEqual(['2 192.0.2.2 32 0 globex|g|auto']);
  });

  it('have only nodes that are up, unless a whole group is merely suspect', () => {
    const nodes = [
      row('a1', 'a', 1),
      row('a2', 'a', 2, 'suspect'),
      row('a3', 'a', 3, 'draining'),
      row('b1', 'b', 4, 'suspect'),
      row('b2', 'b', 5, 'down'),
      row('c1', 'c', 6, 'down'),
    ];
    const { dispatcherList } = desiredState(sources({ nodes }));
    expect(dispatcherList.map((line) => line.split('node=')[1])).toEqual(['a1', 'b1']);
  });

  it('place a node where the registry says, not where it registers itself', () => {
    const place = Resource.create({
      value: { $case: 'appNode', value: AppNode.create({ id: 'fs-1', groupId: 'b' }) },
    });
    const { setIds, dispatcherList } = desiredState(
      sources({ nodes: [row('fs-1', 'a', 5080)], directory: directory(place) }),
    );
    expect([...setIds]).toEqual([['b', 1]]);
    expect(dispatcherList).toHaveLength(1);
  });

  it('know digest trunks by user and realm, and which realms to challenge', () => {
    const digest = trunk({
      id: 'd',
      tenantId: 'acme',
      auth: TrunkAuth.TRUNK_AUTH_DIGEST,
      username: 'u',
      ha1Md5: HA1,
    });
    const { tables } = desiredState(sources({ directory: directory(...acme, digest) }));
    expect([...tables.trunkauth]).toEqual([
      ['u@acme.example', `${HA1}|1|acme|d|auto`],
      ['@acme.example', '1'],
    ]);
  });

  it('say where calls may go out, with the port always written', () => {
    const uris = [
      'sip:PBX.example',
      'sip:u@192.0.2.7:5070;transport=udp',
      'sips:192.0.2.8',
      'sip:[2001:db8::1]:5062',
    ];
    const trunks = uris.map((contactUri, index) => trunk({ id: `t${index}`, tenantId: 'acme', contactUri }));
    const { tables } = desiredState(sources({ directory: directory(tenant('acme'), ...trunks) }));
    expect([...tables.trunkdest.keys()]).toEqual([
      'pbx.example:5060',
      '192.0.2.7:5070',
      '192.0.2.8:5061',
      '[2001:db8::1]:5062',
    ]);
  });
});

describe('numbers of dispatcher sets', () => {
  it('stay with their group for ever', () => {
    const first = assignSetIds(new Map(), ['b', 'a']);
    const later = assignSetIds(first, ['c', 'b']);
    expect([...later]).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ]);
    expect(assignSetIds(new Map([['x', 2]]), ['a', 'b']).get('b')).toBe(3);
  });
});

describe('the node table without the state service', () => {
  const registered = row('fs-1', 'a', 1).node;
  const view = (nodes: Node[], desired: [string, DesiredState][] = []) => ({
    nodes: new Map(nodes.map((node) => [node.id, node])),
    desired: new Map(desired),
  });

  it('takes what is registered as up, unless an operator wants it empty', () => {
    const drain = view([registered], [['fs-1', DesiredState.DESIRED_STATE_DRAINING]]);
    expect(rowsFromEtcd(view([registered]))[0]?.status).toBe('up');
    expect(rowsFromEtcd(drain)[0]?.status).toBe('draining');
  });

  it('holds a node that vanished suspect for ten seconds, then down, and forgets it after an hour', () => {
    const absences: Absences = new Map();
    const known = [row('fs-1', 'a', 1)];
    const at = (now: number) => withAbsent([], known, absences, now)[0]?.status;
    expect([at(1_000), at(10_999), at(11_000), at(3_601_000)]).toEqual([
      'suspect',
      'suspect',
      'down',
      undefined,
    ]);
  });

  it('takes a node back as soon as it is there, and forgives its absence', () => {
    const absences: Absences = new Map([['fs-1', 0]]);
    const known = [row('fs-1', 'a', 1)];
    const back = rowsFromEtcd(view([registered]));
    expect(withAbsent(back, known, absences, 60_000)).toEqual(back);
    expect(withAbsent([], known, absences, 61_000)[0]?.status).toBe('suspect');
  });

  it('never takes a dead node for merely suspect because its record vanished', () => {
    expect(withAbsent([], [row('fs-1', 'a', 1, 'down')], new Map(), 0)[0]?.status).toBe('down');
  });
});

describe('changes of a table', () => {
  const table: fc.Arbitrary<Table> = fc
    .array(fc.tuple(fc.constantFrom('0', '1', '2', '3', 'k'), fc.constantFrom('a', 'b', 'c')))
    .map((entries) => new Map<string, string | number>([...entries, ['count', entries.length]]));

  it('make what is loaded into what is desired, and nothing when it is', () => {
    fc.assert(
      fc.property(table, table, (loaded, desired) => {
        const result = new Map(loaded);
        for (const change of tableChanges(loaded, desired)) {
          if (change.op === 'set') result.set(change.key, change.value);
          else result.delete(change.key);
        }
        expect(new Map([...result].sort())).toEqual(new Map([...desired].sort()));
        expect(tableChanges(desired, desired)).toEqual([]);
      }),
    );
  });

  it('never let the count promise an entry that is not there', () => {
    const of = (urls: string[]): Table =>
      new Map<string, string | number>([
        ...urls.map((url, index): [string, string] => [String(index), url]),
        ['count', urls.length],
      ]);
    const urls = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 5 }).map(of);
    fc.assert(
      fc.property(urls, urls, (loaded, desired) => {
        const result = new Map(loaded);
        for (const change of tableChanges(loaded, desired)) {
          if (change.op === 'set') result.set(change.key, change.value);
          else result.delete(change.key);
          for (let index = 0; index < Number(result.get('count')); index += 1)
            expect(result.has(String(index))).toBe(true);
        }
      }),
    );
  });
});

describe('what the agents’ door is told', () => {
  const acme = (fields: Partial<Tenant> = {}) =>
    Resource.create({
      value: {
        $case: 'tenant',
        value: Tenant.create({ id: 'acme', domain: 'acme.example', enabled: true, ...fields }),
      },
    });
  const routers = (tenantId: string, groupId: string) => {
    const value = TenantApp.create({
      id: `${tenantId}/general/router`,
      tenantId,
      groupId,
      function: Purpose.FUNCTION_GENERAL,
      role: NodeRole.NODE_ROLE_ROUTER,
    });
    return Resource.create({ value: { $case: 'tenantApp', value } });
  };
  const door = (changes: Partial<Sources> = {}) =>
    desiredState(
      sources({
        role: NodeRole.NODE_ROLE_KAMA_WSS,
        nodes: [row('r-1', 'routers', 5090, 'up', NodeRole.NODE_ROLE_ROUTER), row('fs-1', 'media-a', 5080)],
        ...changes,
      }),
    );

  it('has the pages of all tenants, also of one that is switched off: policy says so to its agents', () => {
    const { tables } = door({
      directory: directory(
        acme({ webOrigins: ['https://b.example', 'https://a.example'] }),
        acme({ id: 'bravo', enabled: false, webOrigins: ['https://a.example', 'https://c.example'] }),
        acme({ id: 'silent' }),
      ),
    });
    expect([...tables.origins]).toEqual([
      ['https://a.example', '1'],
      ['https://b.example', '1'],
      ['https://c.example', '1'],
    ]);
  });

  it('has for each tenant the set of its routers, and of nobody else’s', () => {
    const { tables, dispatcherList } = door({
      directory: directory(
        acme(),
        acme({ id: 'bravo' }),
        acme({ id: 'off', enabled: false }),
        routers('*', 'routers'),
        routers('bravo', 'bravos-routers'),
      ),
      setIds: new Map([
        ['routers', 7],
        ['bravos-routers', 8],
      ]),
    });
    expect([...tables.tenants]).toEqual([
      ['acme', '7'],
      ['bravo', '8'],
    ]);
    expect(dispatcherList).toEqual(['7 sip:10.0.0.1:5090;transport=udp 0 0 node=r-1']);
  });

  it('has no trunks, and kama-pstn no agents', () => {
    const pbx = trunk({ id: 'acme-pbx', tenantId: 'acme', sourceAddresses: ['192.0.2.10'] });
    const known = directory(acme(), link('acme', 'media-a'), routers('acme', 'routers'), pbx);
    expect(door({ directory: known }).addressList).toEqual([]);
    expect(tablesOf(NodeRole.NODE_ROLE_KAMA_WSS)).toContain('origins');
    expect(tablesOf(NodeRole.NODE_ROLE_KAMA_PSTN)).not.toContain('origins');
    expect(desiredState(sources({ directory: known })).tables.tenants.size).toBe(0);
  });
});
