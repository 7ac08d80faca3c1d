import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mesh, type MeshSpec, type NodeSpec } from '@callmesh/local';
import { type CallOptions, Uac } from '@callmesh/standin/uac';
import { stringify } from 'yaml';

/** A tenant of a test: one trunk with an address of its own, one number, one group. */
export interface TestTenant {
  readonly id: string;
  /** Loopback address its PBX calls from. */
  readonly host: string;
  readonly group: string;
  readonly number: string;
  /** What answers the number; the platform's service by its commands unless told. */
  readonly destination?: { readonly destination_kind: string; readonly destination?: string };
  /** Further keys of the tenant and of its trunk. */
  readonly tenant?: Record<string, unknown>;
  readonly trunk?: Record<string, unknown>;
  /** Further sections of its document, or entries of those it has: dids, agents, trunks. */
  readonly more?: Record<string, readonly unknown[]>;
}

/** `count` tenants t01, t02 ... spread over the groups in turn. */
export function tenants(count: number, groups: readonly string[], net = 3): TestTenant[] {
  return Array.from({ length: count }, (_, index) => {
    const n = index + 1;
    const id = `t${String(n).padStart(2, '0')}`;
    return {
      id,
      host: `127.0.${net}.${n}`,
      group: groups[index % groups.length]!,
      number: `+49301${String(n).padStart(5, '0')}`,
    };
  });
}

export function mediaNodes(group: string, count: number, more: Partial<NodeSpec> = {}): NodeSpec[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ id: `fs-${group}-${index + 1}`, role: 'media' as const, group, max: 500 },
    ...more,
  }));
}

function documents(all: readonly TestTenant[], nodes: readonly NodeSpec[]): string {
  const roles = new Map(nodes.map(({ group, role }) => [group, role]));
  const platform = {
    node_groups: [...roles].map(([id, role]) => ({ id, name: id, role })),
    // Routers and tandems serve every tenant.
    links: [...roles]
      .filter(([, role]) => role !== 'media')
      .map(([group_id, role]) => ({ function: 'general', group_id, role })),
  };
  return [platform, ...all.map(documentOf)].map((document) => stringify(document)).join('---\n');
}

function documentOf({ id, host, group, number, destination, tenant, trunk, more = {} }: TestTenant) {
  const document: Record<string, readonly unknown[]> = {
    links: [{ function: 'general', group_id: group, role: 'media' }],
    trunks: [{ id: `${id}-pbx`, kind: 'hybrid', auth: 'address', source_addresses: [host], ...trunk }],
    dids: [{ number, function: 'general', destination_kind: 'control', ...destination }],
  };
  for (const [section, entries] of Object.entries(more))
    document[section] = [...(document[section] ?? []), ...entries];
  return { tenant: { id, name: id, domain: `${id}.example`, ...tenant }, ...document };
}

/** The log line of a decision. */
export interface Decision {
  readonly call_id: string;
  readonly instance: string;
  readonly node: string;
  /** When it was made. */
  readonly time: string;
}

/** A mesh with these tenants and nodes, and a PBX for each tenant that is asked for. */
export class World {
  readonly mesh: Mesh;
  readonly #pbxs = new Map<string, Uac>();

  readonly #dir: string;

  private constructor(mesh: Mesh, dir: string) {
    this.mesh = mesh;
    this.#dir = dir;
  }

  static async start(all: readonly TestTenant[], spec: Omit<MeshSpec, 'seed'>): Promise<World> {
    const dir = mkdtempSync(join(tmpdir(), 'callmesh-world-'));
    const seed = join(dir, 'seed.yaml');
    writeFileSync(seed, documents(all, spec.nodes));
    try {
      return new World(await Mesh.start({ rtpengines: 0, ...spec, dir, seed: [seed] }), dir);
    } catch (error) {
      rmSync(dir, { recursive: true });
      throw error;
    }
  }

  /** The PBX at this tenant's address. */
  async pbx({ id, host }: TestTenant): Promise<Uac> {
    const known = this.#pbxs.get(id);
    if (known) return known;
    const uac = await Uac.open({ host, user: `${id}-pbx` });
    this.#pbxs.set(id, uac);
    return uac;
  }

  /** A call of this tenant to its own number, through the door. */
  to({ id, number }: TestTenant, more: Partial<CallOptions> = {}): CallOptions {
    return { proxy: `127.0.0.1:${this.mesh.edge.sipPort}`, to: `sip:${number}@${id}.example`, ...more };
  }

  /** Every decision so far, from the line each policy instance logs of it. */
  decisions(): Decision[] {
    const logs = [...this.mesh.services.values()].filter(({ name }) => name.startsWith('policy-'));
    const lines = logs.flatMap(({ spec }) => readFileSync(spec.log, 'utf8').split('\n'));
    return lines.filter((line) => line.includes('"msg":"routed"')).map((line) => JSON.parse(line));
  }

  async stop(): Promise<void> {
    for (const uac of this.#pbxs.values()) uac.close();
    await this.mesh.stop();
    rmSync(this.#dir, { recursive: true });
  }
}
