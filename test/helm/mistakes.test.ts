import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHART, refusal, type Values } from './chart.ts';
import { withHelm } from './with-helm.ts';

/** What is wrong, over the trial, and the sentence that helps. */
const mistakes: readonly (readonly [what: string, values: Values, sentence: string])[] = [
  [
    'a Secret that is not named',
    { existingSecret: '' },
    'make a Secret with the keys token, edge-secret and esl-password',
  ],
  [
    'a name too long for a node',
    { fullnameOverride: 'callmesh-of-the-eastern-division' },
    'set fullnameOverride to something shorter',
  ],
  ['no etcd', { etcd: { bundled: false } }, 'list the addresses of your etcd, or set etcd.bundled'],
  ['etcd here and elsewhere', { etcd: { endpoints: ['http://etcd:2379'] } }, 'set one of the two'],
  ['a user of the trial etcd', { etcd: { username: 'mesh' } }, 'knows neither TLS nor users'],
  ['a certificate nobody named', { nats: { clientCertificate: true } }, 'in nats.tlsSecret'],
  [
    'TLS to plain etcd',
    { etcd: { bundled: false, endpoints: ['http://etcd:2379'], tlsSecret: 'x' } },
    'is not https://',
  ],
  [
    'a password of nobody',
    { nats: { bundled: false, servers: ['nats://nats:4222'], auth: 'password' } },
    'say whose password',
  ],
  ['no NATS', { nats: { bundled: false } }, 'list the addresses of your nats'],
  ['PostgreSQL here and elsewhere', { postgresql: { bundled: true, external: true } }, 'set one of the two'],
  [
    'two replicas of an embedded database',
    { services: { 'tenant-registry': { replicas: 2 } } },
    'an embedded database is for one replica',
  ],
  [
    'an embedded database that is scaled',
    { services: { 'call-control': { autoscaling: { enabled: true } } } },
    'an embedded database is for one replica',
  ],
  ['an issuer that is not named', { mtls: { mode: 'certManager' } }, 'name the issuer'],
  [
    'a certificate that is not named',
    { mtls: { mode: 'secret' } },
    'name the Secret with tls.crt, tls.key and ca.crt',
  ],
  ['a console for nobody', { console: { enabled: true } }, 'nobody could sign in'],
  ['nodes for no peers', { network: { peers: [] } }, 'list the CIDRs of the cluster'],
  [
    'no image of FreeSWITCH',
    { freeswitch: { image: { repository: '' } } },
    'nodes need an image with FreeSWITCH',
  ],
  [
    'no image of rtpengine',
    { rtpengine: { image: { repository: '' } } },
    'an image with rtpengine is needed',
  ],
  [
    'relays here and elsewhere',
    { rtpengine: { addresses: ['udp:10.0.0.1:2223'] } },
    'relays are elsewhere or here',
  ],
  ['media ports upside down', { nodes: { media: { rtp: { first: 30_000 } } } }, 'must be below last'],
  ['too few media ports', { nodes: { media: { maxSessions: 9_000 } } }, 'widen rtp or lower maxSessions'],
  [
    'ranges that meet on a host',
    { rtpengine: { rtp: { first: 20_000 } } },
    'on one host their calls would hear each other',
  ],
  [
    'a media node with carriers',
    { nodes: { media: { carriers: { a: { name: 's', key: 'k' } } } } },
    'only a tandem knows carriers',
  ],
  [
    'carriers where the mesh is',
    { nodes: { tandems: { sipPort: 5080 } } },
    'carriers are not let in where the mesh is',
  ],
  [
    'scaling upside down',
    { nodes: { media: { autoscaling: { type: 'hpa', minReplicas: 11 } } } },
    'minReplicas (11) is above maxReplicas (10)',
  ],
  [
    'KEDA without Prometheus',
    { nodes: { media: { autoscaling: { type: 'keda' } } } },
    'set prometheus to its URL',
  ],
  [
    'a zone that is too long',
    { nodes: { media: { zones: ['a-zone-with-a-name-that-nobody-should-give-to-a-zone'] } } },
    'shorten one of them',
  ],
  ['a node named as a service', { nodes: { policy: { role: 'media' } } }, 'a service has that name'],
  ['a node named as a door', { nodes: { 'kama-pstn': { role: 'media' } } }, 'a name may be used once'],
  ['a door on every host', { edges: { 'kama-pstn': { kind: 'DaemonSet' } } }, 'puts a door on every host'],
  [
    'source ranges without a Service',
    { edges: { 'kama-pstn': { service: { sourceRanges: ['10.0.0.0/8'] } } } },
    'protects nothing',
  ],
  [
    'a balancer nobody is told of',
    { edges: { 'kama-pstn': { hostNetwork: false } } },
    "the door must say the balancer's address",
  ],
  [
    'two sockets on one port',
    { edges: { 'kama-wss': { ports: { agents: 5443 } } } },
    'sip, agents and tls must differ',
  ],
  [
    'a port for root',
    { edges: { 'kama-wss': { ports: { tls: 443 } } } },
    'let the load balancer listen there',
  ],
  [
    'a key nobody knows',
    { nodes: { media: { relpicas: 3 } } },
    "additional properties 'relpicas' not allowed",
  ],
  ['a node without a role', { nodes: { other: {} } }, "missing property 'role'"],
  [
    'a role there is not',
    { nodes: { media: { role: 'conference' } } },
    "must be one of 'router', 'media', 'tandem'",
  ],
  ['half a digest', { image: { digest: 'sha256:12' } }, 'does not match pattern'],
];

withHelm('wrong values of the chart', () => {
  it.concurrent.each(mistakes)('are told: %s', async (_what, values, sentence) => {
    expect(await refusal('trial', values)).toContain(sentence);
  });
});

interface Schema {
  readonly type?: string;
  readonly $ref?: string;
  readonly description?: string;
  readonly additionalProperties?: boolean | Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

describe("the schema of the chart's values", () => {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema;
  /** Every schema in it, with where it is. */
  function* walk(node: Schema, path: string): Generator<[string, Schema]> {
    yield [path, node];
    for (const [name, child] of Object.entries(node.properties ?? {})) yield* walk(child, `${path}.${name}`);
    for (const [name, child] of Object.entries(node.$defs ?? {})) yield* walk(child, `${path}#${name}`);
    if (node.items) yield* walk(node.items, `${path}[]`);
    if (typeof node.additionalProperties === 'object') yield* walk(node.additionalProperties, `${path}.*`);
  }
  const nodes = [...walk(schema, 'values')];
  /** What belongs to others: a service's own configuration, which that service refuses what it does not know in, and Helm. */
  const theirs = (path: string) => path.endsWith('.config') || path === 'values.global';

  it('is closed: no object takes a key it does not name', () => {
    const open = nodes.filter(
      ([path, { type, additionalProperties }]) =>
        type === 'object' && additionalProperties === undefined && !theirs(path),
    );
    expect(open.map(([path]) => path)).toEqual([]);
  });

  it('says of every value what it is', () => {
    const silent = nodes.filter(([path, { description }]) => !description && /\.[a-z]\w*$/i.test(path));
    expect(silent.map(([path]) => path)).toEqual([]);
  });

  it('names exactly what values.yaml has', () => {
    const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values;
    const known = Object.keys(schema.properties ?? {}).filter((name) => name !== 'global');
    expect(Object.keys(values).sort()).toEqual(known.sort());
    const defaults = (of: string) => Object.keys(schema.$defs?.[of]?.properties ?? {}).sort();
    expect(Object.keys(values.nodeDefaults as Values).sort()).toEqual(defaults('nodeDefaults'));
    expect(Object.keys(values.edgeDefaults as Values).sort()).toEqual(defaults('edgeDefaults'));
  });
});
