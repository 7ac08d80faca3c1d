import { Agent, Kind } from '@callmesh/proto/tenant';
import { z } from 'zod';
import { ha1Md5, ha1Sha256, pattern, sipUser, slug, text, yes } from '../fields.ts';
import { type Claim, defineKind } from '../kind.ts';

export const agent = defineKind({
  name: 'agent',
  kind: Kind.KIND_AGENT,
  $case: 'agent',
  schema: z.strictObject({
    tenant_id: slug,
    username: sipUser,
    display_name: text(128),
    ha1_md5: ha1Md5,
    ha1_sha256: ha1Sha256,
    enabled: yes,
    extension: pattern(/^(\d{2,10})?$/, 'expected 2-10 digits, or nothing').default(''),
    voicemail: yes,
  }),
  enums: {},
  secrets: ['ha1_md5', 'ha1_sha256'],
  immutable: ['tenant_id', 'username'],
  tenantColumn: 'tenant_id',
  section: { key: 'agents', in: ['tenant'] },
  message: (fields) => Agent.fromPartial(fields),
  references: (row) => [{ kind: 'tenant', id: row.tenant_id, field: 'tenant_id' }],
  // One name space for both: dialling 1001 must not mean two agents.
  claims: (row) => {
    const dial = (key: string, field: string): Claim => ({ space: `dial/${row.tenant_id}`, key, field });
    const user = dial(row.username, 'username');
    return row.extension === '' || row.extension === row.username
      ? [user]
      : [user, dial(row.extension, 'extension')];
  },
  complete: (row, find) => ({
    ...row,
    id: `${row.username}@${find('tenant', row.tenant_id)?.domain}`,
  }),
});
