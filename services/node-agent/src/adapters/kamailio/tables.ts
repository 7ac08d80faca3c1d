import { fail } from '@callmesh/runtime';
import { z } from 'zod';
import { type Change, tableChanges } from '../../domain/kamailio/diff.ts';
import type { Table } from '../../domain/kamailio/tables.ts';
import type { KamailioRpc } from './rpc.ts';

/** Answer of htable.dump: slots, each a list of items. */
const Dump = z.array(
  z.object({ slot: z.array(z.object({ name: z.string(), value: z.union([z.string(), z.number()]) })) }),
);
/** A dump of a large table takes its time, milliseconds. */
const DUMP_MS = 5_000;

/** What a table holds now. */
export async function readTable(rpc: KamailioRpc, name: string): Promise<Table> {
  const parsed = Dump.safeParse(await rpc.ask('htable.dump', [name], DUMP_MS));
  if (!parsed.success) throw fail('internal', `htable.dump ${name}: ${z.prettifyError(parsed.error)}`);
  return new Map(parsed.data.flatMap(({ slot }) => slot.map(({ name, value }) => [name, value] as const)));
}

/** Makes a table into what it should be, touching only what differs; returns how many entries changed. */
export async function writeTable(
  rpc: KamailioRpc,
  name: string,
  loaded: Table,
  desired: Table,
): Promise<number> {
  const changes = tableChanges(loaded, desired);
  for (const change of changes) await write(rpc, name, change);
  return changes.length;
}

async function write(rpc: KamailioRpc, table: string, change: Change): Promise<void> {
  if (change.op === 'delete') await rpc.ask('htable.delete', [table, change.key]);
  else
    await rpc.ask(typeof change.value === 'number' ? 'htable.seti' : 'htable.sets', [
      table,
      change.key,
      change.value,
    ]);
}
