import type { Values } from './chart.ts';

const media = { role: 'media', hostNetwork: false };
const freeswitch = { image: { repository: 'registry.example/freeswitch', tag: '1.11.2' } };
const network = { peers: ['10.0.0.0/8'] };
const bare = {
  existingSecret: 'callmesh',
  etcd: { endpoints: ['https://etcd.example'] },
  nats: { servers: ['nats://nats.example:4222'] },
  postgresql: { external: true },
};
const database = { postgresql: { external: true } };

/** Ways to set the values, each over an example. */
export const combinations: readonly (readonly [name: string, example: string, values: Values])[] = [
  ['no nodes and no doors yet', '', bare],
  ['a router alone', '', { ...bare, freeswitch, network, nodes: { routers: { role: 'router' } } }],
  ['another name', 'trial', { fullnameOverride: 'mesh' }],
  ['labels and annotations', 'trial', { commonLabels: { team: 'voice' }, podAnnotations: { note: 'x' } }],
  [
    'stores that ask for certificates and passwords',
    '',
    {
      ...bare,
      etcd: { ...bare.etcd, tlsSecret: 'etcd-client', clientCertificate: true, username: 'mesh' },
      nats: { ...bare.nats, tlsSecret: 'nats-ca', auth: 'password', user: 'mesh' },
    },
  ],
  ['NATS with a token', 'production', { nats: { auth: 'token' } }],
  ['PostgreSQL in the cluster', 'trial', { postgresql: { bundled: true } }],
  ['PostgreSQL elsewhere', 'trial', database],
  ['a token that is changed', 'production', { acceptNextToken: true }],
  ['no network policies', 'production', { networkPolicy: { enabled: false } }],
  ['metrics for nobody', 'production', { networkPolicy: { metricsFrom: [] } }],
  ['no disruption budgets', 'production', { podDisruptionBudgets: false }],
  [
    'certificates of a namespaced issuer',
    'trial',
    { mtls: { mode: 'certManager', issuer: { name: 'own' } } },
  ],
  ['certificates of a Secret', 'production', { mtls: { mode: 'secret', existingSecret: 'tls' } }],
  ['no mutual TLS', 'production', { mtls: { mode: 'none' } }],
  ['one tag for all services', 'trial', { image: { tag: '1.2.3', pullPolicy: 'Always' } }],
  ['every service scaled by CPU', 'production', { services: scaled() }],
  [
    'nodes scaled by the custom metrics API',
    'production',
    { nodes: { 'media-a': { autoscaling: { type: 'hpa' } } } },
  ],
  ['nodes not scaled', 'production', { nodes: { 'media-a': { autoscaling: { type: 'none' } } } }],
  ['drains of a day', 'production', { nodeDefaults: { drainSeconds: 86_400 } }],
  ['no zones', 'production', { nodeDefaults: { zones: [] } }],
  ['zones of one group alone', 'hybrid-trunks', { nodes: { 'media-a': { zones: ['a', 'b'] } } }],
  ['media on the host network', 'hybrid-trunks', { nodes: { 'media-a': { hostNetwork: true } } }],
  [
    'another group of the same nodes',
    'hybrid-trunks',
    { nodes: { extra: { ...media, group: 'media-a', weight: 5 } } },
  ],
  [
    'FreeSWITCH of another path and user',
    'trial',
    { freeswitch: { command: ['/opt/freeswitch/bin/freeswitch'], user: 499 } },
  ],
  [
    'codecs and logs of a node',
    'trial',
    { nodes: { media: { env: { FS_CODECS: 'PCMA', FS_LOG_LEVEL: 'info' } } } },
  ],
  [
    'a door behind a load balancer',
    'trial',
    {
      edges: {
        'kama-pstn': {
          hostNetwork: false,
          portShift: 0,
          advertise: '192.0.2.5',
          service: { sourceRanges: ['198.51.100.0/24'] },
        },
      },
    },
  ],
  ['a door without a Service', 'hybrid-trunks', { edges: { 'kama-wss': { service: { type: 'None' } } } }],
  ['a door at NodePorts', 'hybrid-trunks', { edges: { 'kama-wss': { service: { type: 'NodePort' } } } }],
  ['agents over TLS nowhere', 'hybrid-trunks', { edges: { 'kama-wss': { tlsSecret: '' } } }],
  [
    'knobs of a door',
    'hybrid-trunks',
    { edges: { 'kama-wss': { knobs: { REGISTER_RATE: 50, LOG_LEVEL: 2 } } } },
  ],
  [
    'relays behind NAT',
    'production',
    {
      rtpengine: {
        publicAddress: '192.0.2.9',
        drainCommand: ['sleep', '60'],
        rtp: { first: 40_000, last: 60_000 },
      },
    },
  ],
  [
    'all that watches',
    'trial',
    {
      monitoring: {
        podMonitor: { enabled: true, labels: { release: 'prometheus' } },
        rules: { enabled: true },
        dashboards: { enabled: true },
      },
      telemetry: { traceRatio: 1, otlpEndpoint: 'https://otlp.example' },
    },
  ],
];

function scaled(): Values {
  const names = ['policy', 'session-cache', 'state', 'tenant-registry', 'call-control'];
  return Object.fromEntries(
    names.map((name) => [name, { autoscaling: { enabled: true, minReplicas: 3, maxReplicas: 6 } }]),
  );
}
