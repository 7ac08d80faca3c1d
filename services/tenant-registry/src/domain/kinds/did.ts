import { Did, Kind } from '@callmesh/proto/tenant';
import { z } from 'zod';
import { carrierTakesE164, problemOfDestination, referencesOf } from '../destination.ts';
import { destinationKinds, functions, word } from '../enums.ts';
import { e164, slug } from '../fields.ts';
import { defineKind } from '../kind.ts';

export const did = defineKind({
  name: 'did',
  kind: Kind.KIND_DID,
  $case: 'did',
  schema: z
    .strictObject({
      number: e164,
      tenant_id: slug,
      function: word(functions),
      destination_kind: word(destinationKinds),
      destination: z.string('expected text').max(1024, 'expected at most 1024 characters').default(''),
    })
    .superRefine((row, context) => {
      const message = problemOfDestination(row.destination_kind, row.destination);
      if (message) context.addIssue({ code: 'custom', path: ['destination'], message });
    }),
  enums: { function: functions, destination_kind: destinationKinds },
  secrets: [],
  immutable: ['tenant_id', 'number'],
  tenantColumn: 'tenant_id',
  section: { key: 'dids', in: ['tenant'] },
  message: (fields) => Did.fromPartial(fields),
  references: (row) => [
    { kind: 'tenant', id: row.tenant_id, field: 'tenant_id' },
    ...referencesOf(row.destination_kind, row.destination),
  ],
  claims: () => [],
  complete: (row) => ({ ...row, id: row.number }),
  check: carrierTakesE164,
});
