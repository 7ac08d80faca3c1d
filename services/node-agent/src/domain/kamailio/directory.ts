import type { NodeRole } from '@callmesh/proto/node';
import {
  type AppNode,
  Kind,
  FunctionMessage as Purpose,
  type Resource,
  type Tenant,
  type TenantApp,
  type Trunk,
} from '@callmesh/proto/tenant';

/** The tenant id of the platform's own links. */
const PLATFORM = '*';

/** What an edge needs of the tenants: whose trunks there are and which groups their calls go to. */
export class Directory {
  readonly tenants = new Map<string, Tenant>();
  readonly trunks = new Map<string, Trunk>();
  readonly #apps = new Map<string, TenantApp>();
  readonly #appNodes = new Map<string, AppNode>();
  /** Groups by tenant, function and role; made when it is asked for after a change. */
  #links: Map<string, string> | undefined;
  /** Tenants by domain, made likewise. */
  #domains: Map<string, Tenant> | undefined;

  /** True when the resource is one an edge needs. */
  put(resource: Resource): boolean {
    const { value } = resource;
    this.#outdated();
    switch (value?.$case) {
      case 'tenant':
        this.tenants.set(value.value.id, value.value);
        return true;
      case 'trunk':
        this.trunks.set(value.value.id, value.value);
        return true;
      case 'tenantApp':
        this.#apps.set(value.value.id, value.value);
        return true;
      case 'appNode':
        this.#appNodes.set(value.value.id, value.value);
        return true;
      default:
        return false;
    }
  }

  /** True when something went. */
  remove(kind: Kind, id: string): boolean {
    this.#outdated();
    return this.#tableOf(kind)?.delete(id) ?? false;
  }

  #outdated(): void {
    this.#links = undefined;
    this.#domains = undefined;
  }

  /** All that is kept, to be stored and put back. */
  resources(): Resource[] {
    const values: Resource['value'][] = [
      ...[...this.tenants.values()].map((value) => ({ $case: 'tenant' as const, value })),
      ...[...this.trunks.values()].map((value) => ({ $case: 'trunk' as const, value })),
      ...[...this.#apps.values()].map((value) => ({ $case: 'tenantApp' as const, value })),
      ...[...this.#appNodes.values()].map((value) => ({ $case: 'appNode' as const, value })),
    ];
    return values.map((value) => ({ value, revision: 0 }));
  }

  #tableOf(kind: Kind): Map<string, unknown> | undefined {
    switch (kind) {
      case Kind.KIND_TENANT:
        return this.tenants;
      case Kind.KIND_TRUNK:
        return this.trunks;
      case Kind.KIND_TENANT_APP:
        return this.#apps;
      case Kind.KIND_APP_NODE:
        return this.#appNodes;
      default:
        return undefined;
    }
  }

  /** Group a node was placed in; undefined when it is where it registers itself. */
  placement(nodeId: string): string | undefined {
    return this.#appNodes.get(nodeId)?.groupId || undefined;
  }

  /** Trunks that may be used: enabled, and their tenant too. Ordered by id. */
  usableTrunks(): Trunk[] {
    const usable = [...this.trunks.values()].filter(
      (trunk) => trunk.enabled && this.tenants.get(trunk.tenantId)?.enabled,
    );
    return usable.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  tenantByDomain(domain: string): Tenant | undefined {
    this.#domains ??= new Map(
      [...this.tenants.values()].map((tenant) => [tenant.domain.toLowerCase(), tenant]),
    );
    return this.#domains.get(domain.toLowerCase());
  }

  /** Tenants that are enabled, ordered by id. */
  usableTenants(): Tenant[] {
    const usable = [...this.tenants.values()].filter(({ enabled }) => enabled);
    return usable.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Group a trunk's calls go to: that of its function; undefined when there is none. */
  groupOf(trunk: Trunk, role: NodeRole): string | undefined {
    const purpose =
      trunk.function === Purpose.FUNCTION_UNSPECIFIED ? Purpose.FUNCTION_GENERAL : trunk.function;
    return this.#link(trunk.tenantId, purpose, role);
  }

  /** Group what a tenant's agents do goes to; undefined when there is none. */
  groupOfAgents(tenant: Tenant, role: NodeRole): string | undefined {
    return this.#link(tenant.id, Purpose.FUNCTION_GENERAL, role);
  }

  /** The tenant's link for a function, else the platform's. */
  #link(tenantId: string, purpose: Purpose, role: NodeRole): string | undefined {
    this.#links ??= new Map(
      [...this.#apps.values()].map((app) => [linkKey(app.tenantId, app.function, app.role), app.groupId]),
    );
    return (
      this.#links.get(linkKey(tenantId, purpose, role)) ?? this.#links.get(linkKey(PLATFORM, purpose, role))
    );
  }
}

function linkKey(tenantId: string, purpose: Purpose, role: NodeRole): string {
  return `${tenantId}/${purpose}/${role}`;
}
