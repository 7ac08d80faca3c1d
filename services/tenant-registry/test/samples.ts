import type { Put } from '../src/domain/batch.ts';
import { reportFor } from '../src/domain/batch.ts';
import type { KindName } from '../src/domain/kind.ts';
import { specOf } from '../src/domain/kinds/index.ts';
import { requireRow } from '../src/domain/validate.ts';

/** MD5 of something; tests do not care of what. */
export const HA1 = 'd41d8cd98f00b204e9800998ecf8427e';

/** What each kind cannot do without, for tests to build on. */
const minimal: Record<KindName, Record<string, unknown>> = {
  tenant: { id: 'acme', domain: 'acme.example' },
  node_group: { id: 'media-a', role: 'media' },
  app_node: { id: 'fs-media-a1', role: 'media', group_id: 'media-a' },
  tenant_app: { tenant_id: 'acme', function: 'general', group_id: 'media-a' },
  agent: { tenant_id: 'acme', username: 'alice', ha1_md5: HA1 },
  did: {
    number: '+4930123456',
    tenant_id: 'acme',
    function: 'general',
    destination_kind: 'agent',
    destination: 'alice@acme.example',
  },
  trunk: {
    id: 'acme-pbx',
    tenant_id: 'acme',
    kind: 'hybrid',
    auth: 'address',
    source_addresses: ['198.51.100.7'],
  },
  number_rule: {
    trunk_id: 'acme-pbx',
    direction: 'inbound',
    position: 10,
    match: '00',
    strip: 2,
    prepend: '+',
  },
};

/** A valid row of a kind, with some fields as given. */
export function put(
  name: KindName,
  fields: Record<string, unknown> = {},
  expect: Put['expect'] = 'absent',
): Put {
  const spec = specOf(name);
  return { spec, row: requireRow(spec, { ...minimal[name], ...fields }), expect, report: reportFor(spec) };
}

/** One of everything, each referring to the others. */
export function oneOfEach(): Put[] {
  return (Object.keys(minimal) as KindName[]).map((name) => put(name));
}
