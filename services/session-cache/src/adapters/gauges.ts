import type { App } from '@callmesh/runtime';
import type { SessionCache } from '../session-cache.ts';

/** What memory holds, for /metrics. */
export function addGauges({ meter }: App, { sessions, registrations, replica }: SessionCache): void {
  meter
    .createObservableGauge('callmesh_sessions', { description: 'bindings in memory, by node' })
    .addCallback((gauge) => {
      for (const [node, count] of sessions.index.countByNode()) gauge.observe(count, { node });
    });
  meter
    .createObservableGauge('callmesh_session_affinities', { description: 'affinity keys that are held' })
    .addCallback((gauge) => gauge.observe(sessions.index.affinities.size));
  meter
    .createObservableGauge('callmesh_registered_aors', { description: 'addresses of record with a contact' })
    .addCallback((gauge) => gauge.observe(registrations.size));
  meter
    .createObservableGauge('callmesh_session_store_live', {
      description: '1 while memory follows the store, 0 while answers come from last known state',
    })
    .addCallback((gauge) => gauge.observe(replica.live ? 1 : 0));
}
