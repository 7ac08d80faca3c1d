import { NodeRole } from '@callmesh/proto/node';
import type { Trunk } from '@callmesh/proto/tenant';
import { addressList } from './address-list.ts';
import type { Directory } from './directory.ts';
import { dispatcherList } from './dispatcher-list.ts';
import { isSessionNode, type NodeRow } from './node-row.ts';
import { assignSetIds, type SetIds } from './set-ids.ts';
import {
  nodesTable,
  originsTable,
  policyTable,
  type Table,
  tenantsTable,
  trunkAuthTable,
  trunkDestTable,
} from './tables.ts';

/** What an edge is made of, from all sources. */
export interface Sources {
  /** The edge's own role: which role of node its calls go to. */
  readonly role: NodeRole;
  readonly nodes: readonly NodeRow[];
  readonly directory: Directory;
  /** Base URLs of policy instances. */
  readonly policies: readonly string[];
  /** Numbers of dispatcher sets given before. */
  readonly setIds: SetIds;
}

/** Which sources were ever heard of; of the others Kamailio keeps what it has. */
export interface Known {
  readonly nodes: boolean;
  readonly tenants: boolean;
  readonly policies: boolean;
}

/** Tables of every edge, and those the agents' door alone has. */
const sharedTables = ['nodes', 'policy', 'trunkauth', 'trunkdest'] as const;
const agentTables = ['origins', 'tenants'] as const;
export type TableName = (typeof sharedTables)[number] | (typeof agentTables)[number];

/** The tables an edge of this role has. */
export function tablesOf(edge: NodeRole): readonly TableName[] {
  return edge === NodeRole.NODE_ROLE_KAMA_WSS ? [...sharedTables, ...agentTables] : sharedTables;
}

/** What is to be loaded in Kamailio. */
export interface Desired {
  readonly tables: Readonly<Record<TableName, Table>>;
  readonly dispatcherList: readonly string[];
  readonly addressList: readonly string[];
  readonly setIds: SetIds;
}

/** The role of the nodes that an edge's sessions go to. */
function targetRole(edge: NodeRole): NodeRole {
  return edge === NodeRole.NODE_ROLE_KAMA_WSS ? NodeRole.NODE_ROLE_ROUTER : NodeRole.NODE_ROLE_MEDIA;
}

/** The tables and lists of an edge; pure, so that what is loaded can be compared with it at any time. */
export function desiredState(sources: Sources): Desired {
  const { directory } = sources;
  const role = targetRole(sources.role);
  const nodes = sources.nodes
    .filter(({ node }) => isSessionNode(node))
    .map((row) => ({
      ...row,
      node: { ...row.node, group: directory.placement(row.node.id) ?? row.node.group },
    }))
    .sort((a, b) => (a.node.id < b.node.id ? -1 : 1));
  const targets = nodes.filter(({ node }) => node.role === role && node.group !== '');
  // Trunks are the enterprises'; at kama-wss agents are known by what they registered over.
  const forAgents = sources.role === NodeRole.NODE_ROLE_KAMA_WSS;
  const trunks = forAgents ? [] : directory.usableTrunks();
  const tenants = forAgents ? directory.usableTenants() : [];
  const linked = [
    ...trunks.map((trunk) => directory.groupOf(trunk, role)),
    ...tenants.map((tenant) => directory.groupOfAgents(tenant, role)),
  ].filter((group) => group !== undefined);
  const setIds = assignSetIds(sources.setIds, [...targets.map(({ node }) => node.group), ...linked]);
  const setOf = (trunk: Trunk) => setIds.get(directory.groupOf(trunk, role) ?? '');
  return {
    tables: {
      nodes: nodesTable(nodes),
      policy: policyTable(sources.policies),
      trunkauth: trunkAuthTable(trunks, setOf, directory),
      trunkdest: trunkDestTable(trunks),
      origins: originsTable(directory),
      tenants: tenantsTable(tenants, (tenant) => setIds.get(directory.groupOfAgents(tenant, role) ?? '')),
    },
    dispatcherList: dispatcherList(targets, setIds),
    addressList: addressList(trunks, setOf),
    setIds,
  };
}
