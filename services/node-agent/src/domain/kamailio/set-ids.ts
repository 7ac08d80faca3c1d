/** Numbers of dispatcher sets by node group. */
export type SetIds = ReadonlyMap<string, number>;

/**
 * Gives every group a number of its own. A number once given stays with its
 * group, also while the group has no node: an answer half way through Kamailio
 * must not end on another tenant's nodes.
 */
export function assignSetIds(given: SetIds, groups: Iterable<string>): SetIds {
  const ids = new Map(given);
  const used = new Set(ids.values());
  let next = 1;
  for (const group of [...new Set(groups)].sort()) {
    if (ids.has(group)) continue;
    while (used.has(next)) next += 1;
    ids.set(group, next);
    used.add(next);
  }
  return ids;
}
