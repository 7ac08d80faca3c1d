import { isDeepStrictEqual } from 'node:util';
import { NodeRole } from '@callmesh/proto/node';
import type { SessionCacheServiceClient, WatchEvent as SessionWatchEvent } from '@callmesh/proto/session';
import type { StateServiceClient, WatchNodesEvent } from '@callmesh/proto/state';
import type { TenantRegistryServiceClient, WatchEvent as TenantWatchEvent } from '@callmesh/proto/tenant';
import { serverStream } from '@callmesh/runtime';
import { type DirectoryItem, type DirectoryKind, idOf } from '../domain/directory.ts';
import type { Mesh } from '../mesh.ts';
import { type Feed, Sweep } from './follow.ts';
import { bindingFrom, loadFrom, nodeFrom } from './proto.ts';
import { itemFrom, kindFrom } from './resources.ts';

/** Tenants and all that is theirs, from tenant-registry. */
export function tenantFeed(client: TenantRegistryServiceClient, mesh: Mesh): Feed<TenantWatchEvent> {
  const { directory, freshness } = mesh;
  const sweep = new Sweep();
  return {
    name: 'tenant-registry',
    open: (signal) => serverStream(client, 'watch', { afterRevision: 0 }, { signal }),
    begin: () => sweep.begin(),
    lost: () => freshness.silent('tenants', Date.now()),
    take({ event }) {
      if (event?.$case === 'put') {
        const item = itemFrom(event.value);
        if (item) {
          directory.put(item);
          sweep.see(keyOf(item));
        }
      } else if (event?.$case === 'removed') {
        const kind = kindFrom(event.value.kind);
        if (kind) directory.remove(kind, event.value.id);
      } else if (event?.$case === 'snapshotDone') {
        for (const key of sweep.end([...directory.items()].map(keyOf))) removeKey(mesh, key);
        freshness.heard('tenants');
      }
      mesh.changed();
      return event?.$case === 'snapshotDone';
    },
  };
}

function keyOf(item: DirectoryItem): string {
  return `${item.kind} ${idOf(item)}`;
}

function removeKey({ directory }: Mesh, key: string): void {
  const blank = key.indexOf(' ');
  directory.remove(key.slice(0, blank) as DirectoryKind, key.slice(blank + 1));
}

/** The live node table, from state. */
export function nodeFeed(client: StateServiceClient, mesh: Mesh): Feed<WatchNodesEvent> {
  const { nodes, ledger, freshness } = mesh;
  const sweep = new Sweep();
  return {
    name: 'state',
    open: (signal) =>
      serverStream(client, 'watchNodes', { role: NodeRole.NODE_ROLE_UNSPECIFIED, group: '' }, { signal }),
    begin: () => sweep.begin(),
    lost() {
      nodes.current = false;
      freshness.silent('nodes', Date.now());
    },
    take({ event }) {
      if (event?.$case === 'put') {
        const record = nodeFrom(event.value);
        if (record) {
          sweep.see(record.id);
          // A row also comes when only its load changed.
          if (!isDeepStrictEqual(record, nodes.record(record.id))) {
            nodes.put(record);
            mesh.changed();
          }
        }
        if (event.value.load) ledger.report(loadFrom(event.value.load), Date.now());
      } else if (event?.$case === 'removedNodeId') {
        nodes.remove(event.value);
        mesh.changed();
      } else if (event?.$case === 'snapshotDone') {
        for (const id of sweep.end([...nodes.rows()].map(({ id }) => id))) nodes.remove(id);
        nodes.current = true;
        freshness.heard('nodes');
        mesh.changed();
      }
      return event?.$case === 'snapshotDone';
    },
  };
}

/** Every instance's live sessions, from session-cache: for limits, and for re-sent INVITEs. */
export function sessionFeed(client: SessionCacheServiceClient, mesh: Mesh): Feed<SessionWatchEvent> {
  const { usage, bindings, freshness } = mesh;
  let listed: Set<string> | undefined;
  return {
    name: 'session-cache',
    open: (signal) => serverStream(client, 'watch', { tenantId: '' }, { signal }),
    begin() {
      listed = new Set();
    },
    lost() {
      usage.silentSince = Date.now();
      freshness.silent('sessions', Date.now());
    },
    take({ event }) {
      if (event?.$case === 'put') {
        const binding = bindingFrom(event.value);
        if (!binding) return false;
        bindings.put(binding);
        // Another host's clock may be ahead; a start in the future would hide those of now.
        usage.confirm(
          binding.sessionId,
          binding,
          Math.min(event.value.createdAt?.getTime() ?? 0, Date.now()),
        );
        listed?.add(binding.sessionId);
      } else if (event?.$case === 'released') {
        bindings.remove(event.value.sessionId);
        usage.end(event.value.sessionId);
      } else if (event?.$case === 'snapshotDone') {
        if (listed) usage.retain(listed);
        listed = undefined;
        usage.silentSince = undefined;
        freshness.heard('sessions');
        return true;
      }
      return false;
    },
  };
}
