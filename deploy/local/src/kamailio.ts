import { globSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.ts';
import { freePort } from './ports.ts';
import { Process } from './process.ts';
import { listening } from './servers.ts';
import { kamailioModules } from './system.ts';

export type EdgeRole = 'kama-pstn' | 'kama-wss';

export interface EdgeSpec {
  readonly id: string;
  /** Folder for the generated root file, the RPC FIFO and the lists; made when absent. */
  readonly dir: string;
  /** The root file of the role is <role>.cfg. */
  readonly role: EdgeRole;
  /** Where nodes reach it, and at kama-pstn the trunks. */
  readonly sipPort: number;
  /** Where agents reach kama-wss over UDP, TCP and WebSocket. */
  readonly agentPort?: number;
  /** And over TLS and secure WebSocket, with a file of Kamailio's tls module. */
  readonly tls?: { readonly port: number; readonly config: string };
  readonly token: string;
  /** Control addresses of rtpengines, blanks between; none: media is never anchored. */
  readonly rtpengine?: string;
  /** Further defines of kamailio/params, as text after `#!define`. */
  readonly defines?: Record<string, string>;
}

/** A Kamailio door as a process, with the files its node-agent keeps. */
export interface Edge {
  readonly id: string;
  readonly role: EdgeRole;
  readonly process: Process;
  readonly sipPort: number;
  readonly metricsPort: number;
  readonly fifo: string;
  readonly replyDir: string;
  readonly dispatcherList: string;
  readonly addressList: string;
}

/** Debian's module folder; its path names the architecture. */
function systemModules(): string {
  const [found] = globSync('/usr/lib/*/kamailio/modules');
  if (!found) throw new Error('Kamailio is not installed');
  return found;
}

/** What a role listens on beside UDP at its SIP port. */
function listens({ role, sipPort, agentPort, tls }: EdgeSpec): Record<string, string> {
  if (role === 'kama-pstn') return { SIP_LISTEN_2: `tcp:127.0.0.1:${sipPort}` };
  if (agentPort === undefined) throw new Error('expected agentPort: where agents reach kama-wss');
  return {
    INSIDE_ADDRESS: `"127.0.0.1:${sipPort}"`,
    SIP_LISTEN_2: `tcp:127.0.0.1:${agentPort}`,
    SIP_LISTEN_3: `udp:127.0.0.1:${agentPort}`,
    ...(tls && { SIP_LISTEN_4: `tls:127.0.0.1:${tls.port}`, TLS_CONFIG: JSON.stringify(tls.config) }),
  };
}

export async function kamailioEdge(spec: EdgeSpec): Promise<Edge> {
  const rpc = join(spec.dir, 'rpc');
  mkdirSync(rpc, { recursive: true, mode: 0o700 });
  const edge = {
    id: spec.id,
    role: spec.role,
    sipPort: spec.sipPort,
    metricsPort: await freePort(),
    fifo: join(rpc, 'fifo'),
    replyDir: `${rpc}/`,
    dispatcherList: join(spec.dir, 'dispatcher.list'),
    addressList: join(spec.dir, 'address.list'),
  };
  const text = (value: string) => JSON.stringify(value);
  const defines = {
    EDGE_ID: text(spec.id),
    SIP_LISTEN: `udp:127.0.0.1:${spec.sipPort}`,
    ...listens(spec),
    METRICS_LISTEN: `tcp:127.0.0.1:${edge.metricsPort}`,
    METRICS_PORT: String(edge.metricsPort),
    EDGE_SECRET: text(`${spec.token}${spec.token}`),
    POLICY_TOKEN: text(spec.token),
    RPC_FIFO: text(edge.fifo),
    RPC_REPLY_DIR: text(edge.replyDir),
    DISPATCHER_LIST: text(edge.dispatcherList),
    ADDRESS_LIST: text(edge.addressList),
    ...(spec.rtpengine && {
      RTPENGINE_SOCK: text(spec.rtpengine),
      RTPENGINE_AGAIN: text(`1 == ${spec.rtpengine}`),
    }),
    ...spec.defines,
  };
  const lines = Object.entries(defines).map(([name, value]) => `#!define ${name} ${value}`);
  const root = join(spec.dir, `${spec.id}.cfg`);
  const include = `include_file ${text(join(ROOT, 'kamailio', `${spec.role}.cfg`))}`;
  writeFileSync(root, `#!KAMAILIO\n${lines.join('\n')}\n${include}\n`, { mode: 0o600 });
  for (const list of [edge.dispatcherList, edge.addressList]) writeFileSync(list, '', { flag: 'a' });
  const process = new Process({
    name: spec.id,
    command: 'kamailio',
    args: [
      ...['-DD', '-E', '-f', root, '-L', `${kamailioModules}:${systemModules()}`],
      ...['-Y', spec.dir, '-m', spec.role === 'kama-wss' ? '512' : '256', '-M', '8'],
    ],
    log: join(spec.dir, `${spec.id}.log`),
    ready: () => listening(edge.metricsPort),
  });
  return { process, ...edge };
}

/** Config of the agent beside it. */
export function edgeAgentConfig(edge: Edge): Record<string, unknown> {
  return {
    node: { id: edge.id, role: edge.role, sip_uri: `sip:127.0.0.1:${edge.sipPort};transport=udp` },
    backend: {
      kind: 'kamailio',
      fifo: edge.fifo,
      reply_dir: edge.replyDir,
      dispatcher_list: edge.dispatcherList,
      address_list: edge.addressList,
    },
  };
}
