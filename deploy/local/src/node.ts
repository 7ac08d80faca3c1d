import { join } from 'node:path';
import { type EventSocket, freeswitchNode } from './freeswitch.ts';
import { ROOT } from './paths.ts';
import { freePort } from './ports.ts';
import { Process } from './process.ts';
import type { NodeSpec } from './spec.ts';

/** Where a node takes what; fixed, so that one that is restarted is found where it was. */
export interface Place {
  /** Folder of the mesh. */
  readonly dir: string;
  /** "127.0.0.1:port" for SIP. */
  readonly sip: string;
  readonly esl: EventSocket;
  /** Where the agent answers what the server asks of the mesh. */
  readonly xmlPort: number;
  /** fs-tandem: "127.0.0.1:port" for carriers. */
  readonly carrier?: string;
}

export async function placeOf({ role, server }: NodeSpec, dir: string, token: string): Promise<Place> {
  return {
    dir,
    sip: `127.0.0.1:${await freePort()}`,
    esl: { port: await freePort(), password: `esl-${token}` },
    xmlPort: await freePort(),
    ...(role === 'tandem' && server === 'freeswitch' && { carrier: `127.0.0.1:${await freePort()}` }),
  };
}

/** The server of a node: FreeSWITCH, or what stands in for it. */
export function serverOf(spec: NodeSpec, place: Place): Process {
  if (spec.server !== 'freeswitch') return standin(spec, place);
  const { id, role, max = 0 } = spec;
  return freeswitchNode({ ...place, id, role, dir: join(place.dir, id), max });
}

function standin(spec: NodeSpec, { dir, sip, esl, xmlPort }: Place): Process {
  const { id, role, max = 0 } = spec;
  // As in freeswitch/: fs-media's dialplan is its own, the others ask for theirs.
  const asked = `http://freeswitch:${esl.password}@127.0.0.1:${xmlPort}/v1/freeswitch/dialplan`;
  const set = {
    context: 'mesh',
    passesReferOn: role === 'router',
    ...(role !== 'media' && { dialplanUrl: asked }),
    ...spec.set,
  };
  return new Process({
    name: id,
    command: process.execPath,
    args: [
      ...[join(ROOT, 'test/standin/standin.mjs'), '--id', id, '--password', esl.password],
      ...['--sip', sip, '--esl', `127.0.0.1:${esl.port}`],
      ...['--control', '127.0.0.1:0', '--max', String(max), '--heartbeat', '2'],
      ...Object.entries(set).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
    ],
    log: join(dir, `${id}.log`),
  });
}

/** Config of the agent beside it. */
export function agentConfig(spec: NodeSpec, { sip, esl, xmlPort }: Place): Record<string, unknown> {
  const { id, role, group, max = 0, zone, weight, carriers = {}, onStop = 'leave', takeover = true } = spec;
  return {
    node: {
      ...{ id, role, group, max_sessions: max },
      sip_uri: `sip:${sip};transport=udp`,
      ...(zone && { zone }),
      ...(weight && { weight }),
    },
    backend: {
      kind: 'freeswitch',
      esl: { host: '127.0.0.1', ...esl },
      xml: { listen: `127.0.0.1:${xmlPort}` },
      carriers,
      ...{ on_stop: onStop, takeover },
    },
  };
}
