import { Kind, Trunk } from '@callmesh/proto/tenant';
import { z } from 'zod';
import { sourceAddress } from '../address.ts';
import { causes } from '../causes.ts';
import {
  callerPolicies,
  functions,
  identityHeaders,
  mediaAnchors,
  trunkAuths,
  trunkKinds,
  word,
} from '../enums.ts';
import {
  e164OrNone,
  e164Prefix,
  ha1Sha256,
  integer,
  limit,
  no,
  pattern,
  slug,
  uniqueList,
  yes,
} from '../fields.ts';
import { type Claim, defineKind, type Row } from '../kind.ts';
import { contactUri } from '../uri.ts';

const REALM = 'expected a digest realm: 1-255 of A-Z, a-z, 0-9, ".", "_", "-" and blanks inside';

type Need = readonly [field: string, expected: string];

/** What each way of authentication cannot do without. */
const NEEDED: Readonly<Record<string, readonly Need[]>> = {
  address: [['source_addresses', 'expected at least one address, because auth is address']],
  digest: [
    ['username', 'expected the digest user name, because auth is digest'],
    ['ha1_md5', 'expected MD5(username:realm:password), because auth is digest'],
  ],
  tls: [['tls_subject', 'expected the name in the client certificate, because auth is tls']],
};

/** What fs-tandem needs to register at a carrier. */
const TO_REGISTER: readonly Need[] = [
  ['username', 'expected the user name at the carrier, because register is true'],
  ['contact_uri', "expected the carrier's SIP URI, because register is true"],
];

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
      enabled: yes,
      media_anchor: word(mediaAnchors).default('auto'),
      function: word(functions).default('general'),
      tls_subject: pattern(/^[A-Za-z0-9.*_@:/-]{0,255}$/, 'expected a subject alternative name').default(''),
      register: no,
      served_prefixes: uniqueList(e164Prefix, 1000),
      caller_number: e164OrNone,
      caller_policy: word(callerPolicies).default('own'),
      identity_header: word(identityHeaders).default('p-asserted-identity'),
      failover_causes: uniqueList(cause(), 50),
    })
    .superRefine((row, context) => {
      const complain = (field: string, message: string) =>
        context.addIssue({ code: 'custom', path: [field], message });
      if (row.register && row.kind !== 'carrier')
        complain('register', 'expected false, because only trunks to carriers register');
      for (const [field, message] of [...(NEEDED[row.auth] ?? []), ...(row.register ? TO_REGISTER : [])])
        if (isMissing(row[field as keyof typeof row])) complain(field, message);
    }),
  enums: {
    kind: trunkKinds,
    auth: trunkAuths,
    media_anchor: mediaAnchors,
    function: functions,
    caller_policy: callerPolicies,
    identity_header: identityHeaders,
  },
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
  complete: (row, find) => ({ ...row, realm: realmOf(row, find('tenant', row.tenant_id)) }),
});

/** Written down where there is a hash, because that stays bound to it when the tenant's domain changes. */
function realmOf({ realm, ha1_md5 }: { realm: string; ha1_md5: string }, tenant: Row | undefined): string {
  return realm === '' && ha1_md5 !== '' ? String(tenant?.domain ?? '') : realm;
}

function cause() {
  return z.enum(causes, 'expected a cause of FreeSWITCH such as "NORMAL_TEMPORARY_FAILURE"');
}

function isMissing(value: unknown): boolean {
  return value === '' || (Array.isArray(value) && value.length === 0);
}
