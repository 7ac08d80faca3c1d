import type { Meter } from '@opentelemetry/api';
import type { Tenant } from '../domain/model.ts';
import type { Mesh } from '../mesh.ts';

/**
 * How much of its limits each tenant uses, over all instances: each tells the same. Of
 * an idle tenant nothing is told but its limits.
 */
export function tenantMetrics(meter: Meter, { directory, usage }: Mesh): void {
  const each = (name: string, description: string, read: (tenant: Tenant) => number) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => {
      for (const tenant of directory.tenants()) result.observe(read(tenant), { tenant: tenant.id });
    });
  each('callmesh_tenant_sessions', 'live sessions', ({ id }) => usage.callsOfTenant(id));
  each('callmesh_tenant_max_sessions', 'most live sessions, 0 without a limit', ({ maxCalls }) => maxCalls);
  each('callmesh_tenant_starts', 'new sessions in the last second', ({ id }) =>
    usage.startsOfTenant(id, Date.now()),
  );
  each('callmesh_tenant_max_starts', 'most new sessions a second, 0 without a limit', ({ maxCps }) => maxCps);
}
