import { Kind, NumberRule } from '@callmesh/proto/tenant';
import { z } from 'zod';
import { directions, parties, word } from '../enums.ts';
import { integer, pattern, slug } from '../fields.ts';
import { defineKind } from '../kind.ts';

export const numberRule = defineKind({
  name: 'number_rule',
  kind: Kind.KIND_NUMBER_RULE,
  $case: 'numberRule',
  schema: z.strictObject({
    trunk_id: slug,
    direction: word(directions),
    party: word(parties).default('called'),
    position: integer(1, 9999),
    match: pattern(/^\+?\d{0,32}$/, 'expected up to 32 digits, with or without "+"').default(''),
    strip: integer(0, 32).default(0),
    prepend: pattern(
      /^\+?[0-9*#]{0,32}$/,
      'expected up to 32 of 0-9, "*" and "#", with or without "+"',
    ).default(''),
  }),
  enums: { direction: directions, party: parties },
  secrets: [],
  immutable: ['trunk_id', 'direction', 'party', 'position'],
  tenantColumn: 'tenant_id',
  section: { key: 'rules', in: ['tenant'], under: { kind: 'trunk', field: 'trunk_id' } },
  message: (fields) => NumberRule.fromPartial(fields),
  references: (row) => [{ kind: 'trunk', id: row.trunk_id, field: 'trunk_id' }],
  claims: () => [],
  complete: (row, find) => ({
    ...row,
    id: `${row.trunk_id}/${row.direction}/${row.party}/${row.position}`,
    tenant_id: find('trunk', row.trunk_id)?.tenant_id,
  }),
});
