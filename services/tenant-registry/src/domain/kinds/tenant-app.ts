import { Kind, TenantApp } from '@callmesh/proto/tenant';
import { z } from 'zod';
import { functions, roles, word } from '../enums.ts';
import { pattern, slug } from '../fields.ts';
import { defineKind, PLATFORM } from '../kind.ts';
import { groupHasRole } from './group-role.ts';

const tenantOrPlatform = pattern(
  /^(\*|[a-z0-9][a-z0-9-]{0,62})$/,
  'expected a tenant id, or "*" for the platform',
);

export const tenantApp = defineKind({
  name: 'tenant_app',
  kind: Kind.KIND_TENANT_APP,
  $case: 'tenantApp',
  schema: z.strictObject({
    tenant_id: tenantOrPlatform,
    function: word(functions),
    group_id: slug,
    role: word(roles).default('media'),
  }),
  enums: { function: functions, role: roles },
  secrets: [],
  immutable: ['tenant_id', 'function', 'role'],
  tenantColumn: 'tenant_id',
  section: { key: 'links', in: ['tenant', 'platform'] },
  message: (fields) => TenantApp.fromPartial(fields),
  references: (row) => [
    ...(row.tenant_id === PLATFORM
      ? []
      : [{ kind: 'tenant', id: row.tenant_id, field: 'tenant_id' } as const]),
    { kind: 'node_group', id: row.group_id, field: 'group_id' },
  ],
  claims: () => [],
  complete: (row) => ({ ...row, id: `${row.tenant_id}/${row.function}/${row.role}` }),
  check: groupHasRole,
});
