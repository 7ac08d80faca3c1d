import { Kind, NodeGroup } from '@callmesh/proto/tenant';
import { z } from 'zod';
import { roles, word } from '../enums.ts';
import { slug, text } from '../fields.ts';
import { defineKind } from '../kind.ts';

export const nodeGroup = defineKind({
  name: 'node_group',
  kind: Kind.KIND_NODE_GROUP,
  $case: 'nodeGroup',
  schema: z.strictObject({
    id: slug,
    name: text(200),
    role: word(roles),
    // Which strategies there are is policy's business: new ones need no change here.
    strategy: slug.default('lightest'),
  }),
  enums: { role: roles },
  secrets: [],
  // Its nodes and links have the role too.
  immutable: ['role'],
  section: { key: 'node_groups', in: ['platform'] },
  message: (fields) => NodeGroup.fromPartial(fields),
  references: () => [],
  claims: () => [],
  complete: (row) => row,
});
