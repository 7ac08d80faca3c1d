import { fail } from '@callmesh/runtime';
import { choose } from '../choose.ts';
import { PLATFORM } from '../directory.ts';
import type { Agent, FunctionName, Random, Role, Tenant, Trunk } from '../model.ts';
import type { NodeRow } from '../node-table.ts';
import { findNodes, whyNot } from '../nodes.ts';
import { hostPort } from '../sip-uri.ts';
import type { Snapshot } from '../snapshot.ts';
import { strategyNamed } from '../strategies/registry.ts';
import { silent } from '../trace.ts';

/** One way to reach a party: what to ask for, and which node or edge to ask. */
export interface Hop {
  readonly uri: string;
  readonly node: NodeRow;
}

/** A node comes back within moments, or another takes its place. */
const RETRY_S = 2;
/** Ways named for one party: what failed three times is not to be reached now. */
const MOST_HOPS = 3;

/** Finds the ways out of a media node, from what is known of the mesh now. */
export class Ways {
  readonly #tenant: Tenant;
  readonly #function: FunctionName;
  readonly #snapshot: Snapshot;
  readonly #random: Random;

  constructor(tenant: Tenant, fn: FunctionName, snapshot: Snapshot, random: Random) {
    this.#tenant = tenant;
    this.#function = fn;
    this.#snapshot = snapshot;
    this.#random = random;
  }

  /** To an agent: the routers that hold its registrations first, then any that can take it. Error: no_node. */
  toAgent(agent: Agent, registeredAt: readonly string[]): Hop[] {
    const holders = registeredAt
      .map((id) => this.#snapshot.nodes.get(id))
      .filter((node) => node !== undefined && node.role === 'router' && whyNot(node, []) === '');
    const routers = [...new Set([...(holders as NodeRow[]), ...this.#nodes('router', agent.id)])];
    const uri = `sip:${agent.username}@${this.#tenant.domain}`;
    return this.#required(routers, 'router').map((node) => ({ uri, node }));
  }

  /** To an outside number: the tandems that can take it. Error: no_node. */
  toCarrier(number: string): Hop[] {
    return this.#required(this.#nodes('tandem', number), 'tandem').map((node) => ({
      uri: `sip:${number}@${node.address}`,
      node,
    }));
  }

  /** To a tenant's PBX: the enterprises' doors. Error: unavailable. */
  toPbx(trunk: Trunk, number: string): Hop[] {
    const doors = [...this.#snapshot.nodes.rows()]
      .filter(({ role, status }) => role === 'kama-pstn' && status === 'up')
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    if (doors.length === 0) throw fail('unavailable', 'no kama-pstn edge is up', { retryAfterS: RETRY_S });
    // By lot: the doors report no load.
    const first = Math.floor(this.#random() * doors.length);
    const uri = `sip:${number.replaceAll('#', '%23')}@${hostPort(trunk.contactUri)}`;
    return [...doors.slice(first), ...doors.slice(0, first)]
      .slice(0, MOST_HOPS)
      .map((node) => ({ uri, node }));
  }

  /** Nodes of the linked group in the order its strategy picks them. */
  #nodes(role: Role, key: string): NodeRow[] {
    const { directory, nodes, turns } = this.#snapshot;
    const groupId = this.#link(role);
    if (groupId === undefined) return [];
    const eligible = findNodes(role, groupId, [], nodes, silent);
    const strategy = strategyNamed(directory.group(groupId)?.strategy ?? '');
    return choose(eligible, strategy, `${this.#tenant.id} ${key}`, turns.get(groupId), this.#random);
  }

  /** The group for this function, else that for general calls: few link routers and tandems function by function. */
  #link(role: Role): string | undefined {
    const { directory } = this.#snapshot;
    for (const fn of [this.#function, 'general'] as const)
      for (const tenantId of [this.#tenant.id, PLATFORM]) {
        const group = directory.link(tenantId, fn, role);
        if (group !== undefined) return group;
      }
    return undefined;
  }

  #required(nodes: readonly NodeRow[], role: Role): readonly NodeRow[] {
    if (nodes.length > 0) return nodes.slice(0, MOST_HOPS);
    const group = this.#link(role);
    const why = group === undefined ? `no ${role} group is linked` : `no node of group ${group} is up`;
    throw fail('no_node', `${why} for ${this.#tenant.id}`, { retryAfterS: RETRY_S });
  }
}
