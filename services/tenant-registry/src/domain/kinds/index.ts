import type { Kind } from '@callmesh/proto/tenant';
import { fail } from '@callmesh/runtime';
import type { KindName, KindSpec } from '../kind.ts';
import { agent } from './agent.ts';
import { appNode } from './app-node.ts';
import { did } from './did.ts';
import { nodeGroup } from './node-group.ts';
import { numberRule } from './number-rule.ts';
import { tenant } from './tenant.ts';
import { tenantApp } from './tenant-app.ts';
import { trunk } from './trunk.ts';

/**
 * Every kind, in an order in which each only refers to those before it. A new
 * kind is a file here, a line in this list, a table in a migration, and its
 * message in the proto.
 */
export const kinds: readonly KindSpec[] = [
  tenant,
  nodeGroup,
  appNode,
  tenantApp,
  agent,
  trunk,
  numberRule,
  did,
];

const byName = new Map(kinds.map((spec) => [spec.name, spec]));
const byKind = new Map(kinds.map((spec) => [spec.kind, spec]));

export function specOf(name: KindName): KindSpec {
  const spec = byName.get(name);
  if (!spec) throw fail('internal', `no kind ${name}`);
  return spec;
}

/** The spec of a request's kind. Errors: invalid_argument. */
export function specOfKind(kind: Kind): KindSpec {
  const spec = byKind.get(kind);
  if (spec) return spec;
  const known = kinds.map(({ kind }) => kind).join(', ');
  throw fail('invalid_argument', `kind: expected one of ${known}`, { field: 'kind' });
}
