import { Kind, Trunk } from '@callmesh/proto/tenant';
import { z } from 'zod';
import { sourceAddress } from '../address.ts';
import { functions, mediaAnchors, trunkAuths, trunkKinds, word } from '../enums.ts';
import { enabled, ha1Sha256, integer, limit, pattern, slug, uniqueList } from '../fields.ts';
import { type Claim, defineKind } from '../kind.ts';
import { contactUri } from '../uri.ts';

const REALM = 'expected a digest realm: 1-255 of A-Z, a-z, 0-9, ".", "_", "-" and blanks inside';

/** What each way of authentication cannot do without. */
const NEEDED: Readonly<Record<string, readonly (readonly [field: string, expected: string])[]>> = {
  address: [['source_addresses', 'expected at least one address, because auth is address']],
  digest: [
    ['username', 'expected the digest user name, because auth is digest'],
    ['ha1_md5', 'expected MD5(username:realm:password), because auth is digest'],
  ],
  tls: [['tls_subject', 'expected the name in the client certificate, because auth is tls']],
};

export const trunk = defineKind({
  name: 'trunk',
  kind: Kind.KIND_TRUNK,
  $case: 'trunk',
  schema: z
    .strictObject({
      id: slug,
      tenant_id: slug,
      kind: word(trunkKinds),
      auth: word(trunkAuths),
      source_addresses: uniqueList(sourceAddress, 256),
      username: pattern(
        /^([A-Za-z0-9._+~-]{1,64})?$/,
        'expected 1-64 of A-Z, a-z, 0-9, ".", "_", "+", "~" and "-"',
      ).default(''),
      realm: pattern(/^([A-Za-z0-9._-]([A-Za-z0-9. _-]{0,253}[A-Za-z0-9._-])?)?$/, REALM).default(''),
      ha1_md5: pattern(
        /^([0-9a-f]{32})?$/,
        'expected MD5(username:realm:password) as 32 lower-case hex digits',
      ).default(''),
      ha1_sha256: ha1Sha256,
      contact_uri: contactUri,
      max_channels: limit,
      max_cps: limit,
      priority: integer(0, 65_535).default(0),
      weight: integer(1, 1000).default(1),
      enabled,
      media_anchor: word(mediaAnchors).default('auto'),
      function: word(functions).default('general'),
      tls_subject: pattern(/^[A-Za-z0-9.*_@:/-]{0,255}$/, 'expected a subject alternative name').default(''),
    })
    .superRefine((row, context) => {
      for (const [field, message] of NEEDED[row.auth] ?? []) {
        const value = (row as Record<string, unknown>)[field];
        if (value === '' || (Array.isArray(value) && value.length === 0))
          context.addIssue({ code: 'custom', path: [field], message });
      }
    }),
  enums: { kind: trunkKinds, auth: trunkAuths, media_anchor: mediaAnchors, function: functions },
  secrets: ['ha1_md5', 'ha1_sha256'],
  immutable: ['tenant_id'],
  tenantColumn: 'tenant_id',
  section: { key: 'trunks', in: ['tenant'] },
  message: (fields) => Trunk.fromPartial(fields),
  references: (row) => [{ kind: 'tenant', id: row.tenant_id, field: 'tenant_id' }],
  claims: (row) => {
    if (row.auth === 'digest')
      return [{ space: 'trunk-user', key: `${row.username}@${row.realm}`, field: 'username' }];
    if (row.auth === 'tls')
      return [{ space: 'trunk-tls', key: row.tls_subject.toLowerCase(), field: 'tls_subject' }];
    // Only where the address alone says whose call it is must it be one trunk's.
    return row.source_addresses.map(
      (key, index): Claim => ({ space: 'trunk-source', key, field: `source_addresses[${index}]` }),
    );
  },
  // The realm is written down, because the hash stays bound to it when the tenant's domain changes.
  complete: (row, find) => ({
    ...row,
    realm:
      row.realm === '' && row.username !== ''
        ? String(find('tenant', row.tenant_id)?.domain ?? '')
        : row.realm,
  }),
});
