import type { Find, Mismatch, Row } from '../kind.ts';

/** A node or link must have the role of the group it names. */
export function groupHasRole(row: Row, find: Find): Mismatch | undefined {
  const group = find('node_group', String(row.group_id));
  if (!group || group.role === row.role) return undefined;
  return {
    field: 'group_id',
    message: `node_group ${group.id} has role ${group.role}, expected one with role ${row.role}`,
  };
}
