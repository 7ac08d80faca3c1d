import { readFile } from 'node:fs/promises';
import { Node } from '@callmesh/proto/node';
import { Resource } from '@callmesh/proto/tenant';
import { z } from 'zod';
import type { NodeRow } from '../../domain/kamailio/node-row.ts';
import type { SetIds } from '../../domain/kamailio/set-ids.ts';
import { replaceFile } from '../replace-file.ts';

/** What an edge must know to route when nobody answers, also after a restart of everything. */
export interface Memory {
  /** False when nothing was ever stored. */
  readonly known: boolean;
  readonly nodes: readonly NodeRow[];
  readonly resources: readonly Resource[];
  readonly policies: readonly string[];
  readonly setIds: SetIds;
}

const NOTHING: Memory = { known: false, nodes: [], resources: [], policies: [], setIds: new Map() };

const Stored = z.object({
  nodes: z.array(
    z.object({ node: z.unknown(), status: z.enum(['up', 'suspect', 'draining', 'drained', 'down']) }),
  ),
  resources: z.array(z.unknown()),
  policies: z.array(z.string()),
  set_ids: z.record(z.string(), z.number()),
});

/** Reads what was stored; nothing when there is no file. Throws when there is one that cannot be read. */
export async function readMemory(path: string): Promise<Memory> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING;
    throw error;
  }
  const stored = Stored.parse(JSON.parse(text));
  return {
    known: true,
    nodes: stored.nodes.map(({ node, status }) => ({ node: Node.fromJSON(node), status })),
    resources: stored.resources.map((resource) => Resource.fromJSON(resource)),
    policies: stored.policies,
    setIds: new Map(Object.entries(stored.set_ids)),
  };
}

/** Stores it for this user alone: it holds digest hashes. */
export async function writeMemory(path: string, memory: Memory): Promise<void> {
  const stored = {
    nodes: memory.nodes.map(({ node, status }) => ({ node: Node.toJSON(node), status })),
    resources: memory.resources.map((resource) => Resource.toJSON(resource)),
    policies: memory.policies,
    set_ids: Object.fromEntries(memory.setIds),
  };
  await replaceFile(path, JSON.stringify(stored), 0o600);
}
