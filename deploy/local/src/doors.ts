import { join } from 'node:path';
import { Authority, tlsConfig } from './certificates.ts';
import { type Edge, type EdgeSpec, kamailioEdge } from './kamailio.ts';
import { freePort } from './ports.ts';
import type { Process } from './process.ts';
import type { DoorSpec } from './spec.ts';

/** An agents' door with the agent beside it. */
export interface AgentsDoor {
  readonly edge: Edge;
  readonly agent: Process;
  /** "127.0.0.1:port" for SIP over UDP and TCP. */
  readonly sip: string;
  /** Where browsers connect. */
  readonly ws: string;
  /** With TLS: "127.0.0.1:port" for SIP over it, where browsers connect, and who signed the certificate. */
  readonly tls?: { readonly sip: string; readonly wss: string; readonly ca: Buffer };
}

/** What doors of one mesh have in common. */
export type Shared = Pick<EdgeSpec, 'token' | 'rtpengine'> & { readonly dir: string };

/** The enterprises' door, not started yet. */
export async function pstnDoor(shared: Shared, knobs?: Record<string, string>): Promise<Edge> {
  const id = 'kama-pstn-1';
  return kamailioEdge({
    ...{ ...shared, id, role: 'kama-pstn', dir: join(shared.dir, id), sipPort: await freePort() },
    ...(knobs && { defines: knobs }),
  });
}

/** An agents' door, not started yet. */
export async function agentsDoor(shared: Shared, spec: DoorSpec): Promise<Omit<AgentsDoor, 'agent'>> {
  const dir = join(shared.dir, spec.id);
  const [sipPort, agentPort, tlsPort] = [await freePort(), await freePort(), await freePort()];
  const authority = spec.tls ? new Authority(join(dir, 'tls')) : undefined;
  const edge = await kamailioEdge({
    ...{ ...shared, id: spec.id, role: 'kama-wss', dir, sipPort, agentPort },
    ...(authority && { tls: { port: tlsPort, config: tlsConfig(authority, 'browsers') } }),
    ...(spec.knobs && { defines: spec.knobs }),
  });
  const [sip, secure] = [`127.0.0.1:${agentPort}`, `127.0.0.1:${tlsPort}`];
  return {
    ...{ edge, sip, ws: `ws://${sip}` },
    ...(authority && { tls: { sip: secure, wss: `wss://${secure}`, ca: authority.certificate } }),
  };
}
