import { NodeRole } from '@callmesh/proto/node';
import { z } from 'zod';
import type { Life } from '../../domain/identity.ts';
import type { KamailioRpc } from './rpc.ts';

const Uptime = z.object({ up_since: z.string() });
const OwnLife = z.object({ item: z.object({ value: z.string() }) });
const Processes = z.array(z.object({ PID: z.number() })).min(1);

/**
 * Who Kamailio is in this life: when it started, to the second, and the process
 * id of its parent; together they do not occur twice. An agents' door adds the name
 * that the flows of this life bear (kamailio/routes/flows.cfg). Errors: as KamailioRpc's.
 */
export async function askLife(rpc: KamailioRpc, role: NodeRole): Promise<Life> {
  const { up_since } = Uptime.parse(await rpc.ask('core.uptime'));
  const [parent] = Processes.parse(await rpc.ask('core.psx'));
  const version = String(await rpc.ask('core.version')).replace(/^kamailio /, '');
  const started = Date.parse(`${up_since} UTC`);
  const when = Number.isNaN(started) ? up_since.replace(/[^0-9A-Za-z]+/g, '-') : Math.floor(started / 1000);
  const own = role === NodeRole.NODE_ROLE_KAMA_WSS ? await rpc.ask('htable.get', ['own', 'life']) : undefined;
  const life = own === undefined ? '' : `-${OwnLife.parse(own).item.value}`;
  return { epoch: `${when}-${parent!.PID}${life}`, version, maxSessions: 0 };
}
