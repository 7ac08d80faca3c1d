import { AppNode, Kind } from '@callmesh/proto/tenant';
import { z } from 'zod';
import { roles, word } from '../enums.ts';
import { integer, limit, slug } from '../fields.ts';
import { defineKind } from '../kind.ts';
import { groupHasRole } from './group-role.ts';

export const appNode = defineKind({
  name: 'app_node',
  kind: Kind.KIND_APP_NODE,
  $case: 'appNode',
  schema: z.strictObject({
    id: slug,
    role: word(roles),
    group_id: slug,
    weight: integer(0, 1000).default(0),
    max_sessions: limit,
  }),
  enums: { role: roles },
  secrets: [],
  immutable: ['role'],
  section: { key: 'app_nodes', in: ['platform'] },
  message: (fields) => AppNode.fromPartial(fields),
  references: (row) => [{ kind: 'node_group', id: row.group_id, field: 'group_id' }],
  claims: () => [],
  complete: (row) => row,
  check: groupHasRole,
});
