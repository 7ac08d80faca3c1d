import { Kind, Tenant } from '@callmesh/proto/tenant';
import { z } from 'zod';
import {
  domainName,
  e164Prefix,
  integer,
  limit,
  no,
  slug,
  text,
  uniqueList,
  webOrigin,
  yes,
} from '../fields.ts';
import { defineKind } from '../kind.ts';

export const tenant = defineKind({
  name: 'tenant',
  kind: Kind.KIND_TENANT,
  $case: 'tenant',
  schema: z.strictObject({
    id: slug,
    name: text(200),
    domain: domainName,
    enabled: yes,
    max_calls: limit,
    max_cps: limit,
    allowed_destinations: uniqueList(e164Prefix, 1000),
    canary_percent: integer(0, 100).default(0),
    blocked_destinations: uniqueList(e164Prefix, 1000),
    premium_allowed: no,
    web_origins: uniqueList(webOrigin, 100),
  }),
  enums: {},
  secrets: [],
  immutable: [],
  fixedWhile: {
    field: 'domain',
    kind: 'agent',
    because: 'agents have the domain in their ids and digest hashes; import the tenant with new ones instead',
  },
  tenantColumn: 'id',
  message: (fields) => Tenant.fromPartial(fields),
  references: () => [],
  claims: (row) => [{ space: 'domain', key: row.domain, field: 'domain' }],
  complete: (row) => row,
});
