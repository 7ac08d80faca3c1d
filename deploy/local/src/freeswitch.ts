import { execFile } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './paths.ts';
import { nodeRtpPorts } from './ports.ts';
import { Process } from './process.ts';
import { listening } from './servers.ts';

const run = promisify(execFile);
const START_MS = 60_000;

/** Where an event socket listens, and its secret. */
export interface EventSocket {
  readonly port: number;
  readonly password: string;
}

export interface FreeSwitchSpec {
  readonly id: string;
  readonly role: 'router' | 'media' | 'tandem';
  /** Folder for all it writes; made when absent. */
  readonly dir: string;
  /** "127.0.0.1:port" it takes SIP at. */
  readonly sip: string;
  readonly esl: EventSocket;
  /** Channels it carries; 0 leaves the configuration's own limit. */
  readonly max: number;
  /** Where its agent answers what it asks of the mesh. */
  readonly xmlPort?: number;
  /** fs-tandem: "ip:port" it takes carriers' calls at. */
  readonly carrier?: string;
  /** Further variables of its environment: those of the role's environment.xml. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The freeswitch binary: in FREESWITCH_HOME, or on PATH; undefined where there is none. */
export function freeswitchBinary(): string | undefined {
  const home = process.env.FREESWITCH_HOME;
  const folders = [...(home ? [join(home, 'bin')] : []), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, 'freeswitch')).find(executable);
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function found(): string {
  const binary = freeswitchBinary();
  if (!binary) throw new Error('no freeswitch on PATH or in FREESWITCH_HOME');
  return binary;
}

/** What a FreeSWITCH answers to an API command; rejects when it cannot be asked or does not let us in. */
export async function freeswitchApi(esl: EventSocket, command: string): Promise<string> {
  const { stdout } = await run(join(dirname(found()), 'fs_cli'), [
    ...['-H', '127.0.0.1', '-P', String(esl.port), '-p', esl.password],
    ...['-x', command],
  ]);
  return stdout.trim();
}

/** A FreeSWITCH with the configuration of its role (freeswitch/fs-<role>), on loopback alone. */
export function freeswitchNode(spec: FreeSwitchSpec): Process {
  const [address, sipPort] = spec.sip.split(':') as [string, string];
  const [first, last] = nodeRtpPorts();
  const folders = ['log', 'db', 'run', 'storage', 'recordings', 'cache', 'temp', 'certs'];
  // 0700: FreeSWITCH writes its whole configuration, secrets included, into its log folder.
  for (const folder of folders) mkdirSync(join(spec.dir, folder), { recursive: true, mode: 0o700 });
  return new Process({
    name: spec.id,
    command: found(),
    args: [
      // -np: as root it would make itself a real-time process.
      ...['-nonat', '-nf', '-nc', '-np', '-conf', join(ROOT, 'freeswitch', `fs-${spec.role}`)],
      ...folders.flatMap((folder) => [`-${folder}`, join(spec.dir, folder)]),
    ],
    env: {
      FS_NAME: spec.id,
      FS_SIP_ADDRESS: address,
      FS_SIP_PORT: sipPort,
      FS_PEERS: '127.0.0.1/32',
      FS_RTP_FIRST: String(first),
      FS_RTP_LAST: String(last),
      FS_ESL_PORT: String(spec.esl.port),
      FS_ESL_PASSWORD: spec.esl.password,
      // Its standard output is a socket of ours, which cannot be opened by name.
      FS_LOG_FILE: `${spec.dir}.log`,
      ...(spec.max > 0 && { FS_MAX_SESSIONS: String(spec.max) }),
      ...(spec.xmlPort && { FS_XML_PORT: String(spec.xmlPort) }),
      ...(spec.carrier && carrierSide(spec.carrier)),
      ...spec.env,
    },
    log: `${spec.dir}.log`,
    // The profile takes calls by the time the event socket listens.
    ready: () => listening(spec.esl.port, START_MS),
    readyMs: START_MS,
  });
}

function carrierSide(carrier: string): Record<string, string> {
  const [address, port] = carrier.split(':') as [string, string];
  return { FS_CARRIER_ADDRESS: address, FS_CARRIER_PORT: port };
}
