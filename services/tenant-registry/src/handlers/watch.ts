import { setTimeout as delay } from 'node:timers/promises';
import type { WatchEvent, WatchRequest } from '@callmesh/proto/tenant';
import { CallmeshError, fail, type Write } from '@callmesh/runtime';
import type { Feed } from '../adapters/feed.ts';
import type { Delta, Store } from '../adapters/store.ts';
import { specOf } from '../domain/kinds/index.ts';
import { toResource } from '../domain/resource.ts';

/** Changes read at once. */
const BATCH = 500;
/** Pause before a database that is away is asked again; watchers stay connected meanwhile. */
const RETRY_MS = 500;

/**
 * One watcher: the snapshot unless it has a revision, then every change in order,
 * until it goes away or this process shuts down. Errors: out_of_range when the
 * changes it asks for, or has fallen behind of, are no longer kept.
 */
export async function watch(
  { store, feed, closing }: { store: Store; feed: Feed; closing: AbortSignal },
  { afterRevision }: WatchRequest,
  caller: AbortSignal,
  write: Write<WatchEvent>,
): Promise<void> {
  const signal = AbortSignal.any([caller, closing]);
  let seen = afterRevision || (await sendSnapshot(store, signal, write));
  while (!signal.aborted) {
    const deltas = await changesWhenThere(store, seen, signal);
    for (const delta of deltas) {
      await write(toEvent(delta));
      seen = delta.revision;
    }
    // What was read may not have been heard of yet; waiting for it would return at once, again and again.
    feed.moved(seen);
    if (!deltas.length) await feed.wait(seen, signal);
  }
  if (!caller.aborted) throw fail('unavailable', 'shutting down; go on from the last revision elsewhere');
}

async function sendSnapshot(store: Store, signal: AbortSignal, write: Write<WatchEvent>): Promise<number> {
  const { rows, revision } = await store.snapshot();
  for (const row of rows) {
    if (signal.aborted) break;
    await write({ event: { $case: 'put', value: toResource(row) }, revision: 0 });
  }
  await write({ event: { $case: 'snapshotDone', value: {} }, revision });
  return revision;
}

async function changesWhenThere(store: Store, after: number, signal: AbortSignal): Promise<Delta[]> {
  for (;;) {
    try {
      return await store.changes(after, BATCH);
    } catch (error) {
      const away = error instanceof CallmeshError && error.code === 'unavailable';
      if (!away || signal.aborted) throw error;
      await delay(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

function toEvent({ kind, id, tenant, row, revision }: Delta): WatchEvent {
  const spec = specOf(kind);
  return {
    event: row
      ? { $case: 'put', value: toResource({ spec, id, row, revision }) }
      : { $case: 'removed', value: { kind: spec.kind, id, tenantId: tenant } },
    revision,
  };
}
