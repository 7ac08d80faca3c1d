import { parse } from 'yaml';
import { type Manifest, named } from './chart.ts';

/** "7000/TCP", or "16384-29999/UDP". */
export type Port = string;

/** The configuration file a workload's pods get, of the service in this container. */
export function configOf(manifests: readonly Manifest[], workload: Manifest): string | undefined {
  const found = manifests.find(
    ({ kind, metadata, data }) =>
      kind === 'ConfigMap' && metadata.name === workload.metadata.name && data?.['config.yaml'],
  );
  return found?.data['config.yaml'];
}

const both = (port: string): Port[] => [`${port}/UDP`, `${port}/TCP`];

/** What a workload's pods listen on beside loopback, read from what they are configured with. */
export function listeners(manifests: readonly Manifest[], workload: Manifest): Port[] {
  const config = configOf(manifests, workload);
  const found = [
    ...(config ? ofService(parse(config)) : []),
    ...workload.spec.template.spec.containers.flatMap((container: Manifest) =>
      ofContainer(manifests, workload, container),
    ),
  ];
  return [...new Set(found)].sort();
}

/** Every `listen` of a service's configuration. */
function ofService(config: unknown): Port[] {
  if (config === null || typeof config !== 'object') return [];
  return Object.entries(config).flatMap(([key, value]) => {
    if (key !== 'listen') return ofService(value);
    return String(value).startsWith('127.') ? [] : [`${String(value).split(':').at(-1)}/TCP`];
  });
}

function ofContainer(
  manifests: readonly Manifest[],
  workload: Manifest,
  { name, env, args, command }: Manifest,
): Port[] {
  if (name === 'freeswitch')
    return ofFreeSwitch(Object.fromEntries(env.map((one: Manifest) => [one.name, one.value])), workload);
  if (name === 'kamailio')
    return ofKamailio(named(manifests, 'ConfigMap', workload.metadata.name).data['edge.cfg']);
  if (name === 'rtpengine') return ofRtpengine(args);
  if (name === 'postgresql') return ['5432/TCP'];
  const option = { etcd: '--listen-client-urls', nats: '-p' }[name as string];
  if (!option) return [];
  return [`${command[command.indexOf(option) + 1].split(':').at(-1)}/TCP`];
}

/** An fs-router's media goes past it. */
function ofFreeSwitch(env: Record<string, string>, workload: Manifest): Port[] {
  const role = workload.spec.template.spec.containers[0].command[2];
  return [
    ...both(env.FS_SIP_PORT!),
    ...(env.FS_CARRIER_PORT ? both(env.FS_CARRIER_PORT) : []),
    ...(role === 'router' ? [] : [`${env.FS_RTP_FIRST}-${env.FS_RTP_LAST}/UDP`]),
  ];
}

function ofKamailio(file: string): Port[] {
  const listens = [...file.matchAll(/^#!define (?:SIP|METRICS)_LISTEN\S* (\w+):\S+?:(\d+)/gm)];
  return listens.map(([, transport, port]) => `${port}/${transport === 'udp' ? 'UDP' : 'TCP'}`);
}

function ofRtpengine(args: readonly string[]): Port[] {
  const of = (option: string) =>
    args
      .find((arg) => arg.startsWith(`--${option}=`))!
      .split(/[=:]/)
      .at(-1)!;
  return [`${of('listen-ng')}/UDP`, `${of('listen-http')}/TCP`, `${of('port-min')}-${of('port-max')}/UDP`];
}

/** What the network policies that select a workload's pods let in. */
export function letIn(manifests: readonly Manifest[], workload: Manifest): Port[] {
  const labels = workload.spec.template.metadata.labels as Record<string, string>;
  const selects = ({ kind, spec }: Manifest) =>
    kind === 'NetworkPolicy' &&
    Object.entries(spec.podSelector.matchLabels).every(([name, value]) => labels[name] === value);
  const ports = manifests
    .filter(selects)
    .flatMap(({ spec }) => spec.ingress ?? [])
    .flatMap(({ ports: rule }: { ports: { port: number; endPort?: number; protocol: string }[] }) => rule)
    .map(({ port, endPort, protocol }) => `${port}${endPort ? `-${endPort}` : ''}/${protocol}`);
  return [...new Set(ports)].sort();
}
