import { Kind } from '@callmesh/proto/tenant';
import { describe, expect, it } from 'vitest';
import { HA1, oneOfEach, put } from '../../test/samples.ts';
import { fieldsOf, type KindName } from './kind.ts';
import { kinds, specOf } from './kinds/index.ts';
import { fromResource, toResource } from './resource.ts';
import { requireRow } from './validate.ts';

const LONG = 'x'.repeat(300);

/** One wrong value per rule: kind, field, value, what the error says was expected. */
const wrong: [KindName, string, unknown, RegExp][] = [
  ['tenant', 'id', 'Acme', /1-63 of a-z/],
  ['tenant', 'id', 'x'.repeat(64), /1-63 of a-z/],
  ['tenant', 'id', '*', /1-63 of a-z/],
  ['tenant', 'id', 'a.b', /1-63 of a-z/],
  ['tenant', 'name', LONG, /at most 200/],
  ['tenant', 'name', 'a\r\nX-Evil: 1', /without control/],
  ['tenant', 'domain', 'Acme.Example', /lower case/],
  ['tenant', 'domain', 'acme..example', /host name/],
  ['tenant', 'domain', '-acme.example', /host name/],
  ['tenant', 'domain', undefined, /missing/],
  ['tenant', 'enabled', 'yes', /true or false/],
  ['tenant', 'max_calls', -1, /whole number from 0/],
  ['tenant', 'max_cps', 1.5, /whole number from 0/],
  ['tenant', 'max_calls', 1_000_001, /whole number from 0/],
  ['tenant', 'canary_percent', 101, /from 0 to 100/],
  ['tenant', 'allowed_destinations[1]', ['+49', '49'], /E\.164 prefix/],
  ['tenant', 'allowed_destinations[1]', ['+49', '+49'], /listed twice/],
  ['tenant', 'blocked_destinations[0]', ['0049'], /E\.164 prefix/],
  ['tenant', 'premium_allowed', 'no', /true or false/],
  ['tenant', 'web_origins[0]', ['agents.acme.example'], /an origin/],
  ['tenant', 'web_origins[0]', ['https://agents.acme.example/'], /an origin/],
  ['tenant', 'web_origins[0]', ['https://Agents.acme.example'], /an origin/],
  ['tenant', 'web_origins[0]', ['https://agents.acme.example:443'], /an origin/],
  ['tenant', 'web_origins[0]', ['*'], /an origin/],
  ['tenant', 'web_origins[0]', ['https://a|b'], /an origin/],
  ['node_group', 'role', 'kama-pstn', /one of router, media, tandem/],
  ['node_group', 'strategy', 'Heaviest!', /1-63 of a-z/],
  ['app_node', 'weight', 1001, /from 0 to 1000/],
  ['tenant_app', 'function', 'fax', /one of general, gray/],
  ['tenant_app', 'tenant_id', 'A', /tenant id, or "\*"/],
  ['agent', 'username', 'al ice', /1-64 of A-Z/],
  ['agent', 'username', 'alice@evil', /1-64 of A-Z/],
  ['agent', 'ha1_md5', HA1.toUpperCase(), /32 lower-case hex/],
  ['agent', 'ha1_md5', 'secret', /32 lower-case hex/],
  ['agent', 'ha1_sha256', HA1, /64 lower-case hex/],
  ['agent', 'extension', '1', /2-10 digits/],
  ['agent', 'voicemail', 1, /true or false/],
  ['did', 'number', '4930123456', /E\.164/],
  ['did', 'number', '+0301234', /E\.164/],
  ['did', 'number', `+1${'2'.repeat(15)}`, /E\.164/],
  ['did', 'destination', 'alice', /agent id/],
  ['trunk', 'kind', 'isdn', /one of hybrid, carrier/],
  ['trunk', 'source_addresses[0]', ['pbx.example'], /an IP address/],
  ['trunk', 'source_addresses', [], /at least one address/],
  ['trunk', 'source_addresses[1]', ['198.51.100.7', '198.51.100.7/32'], /listed twice/],
  ['trunk', 'contact_uri', 'tel:+49', /SIP URI/],
  ['trunk', 'contact_uri', 'sip:a@198.51.100.7\r\n', /SIP URI/],
  ['trunk', 'contact_uri', 'sip:198.51.100.7:70000', /port from 1/],
  ['trunk', 'contact_uri', 'sip:198.51.100.7;transport=sctp', /udp, tcp or tls/],
  ['trunk', 'contact_uri', 'sip:198.51.100.7?Route=x', /SIP URI/],
  ['trunk', 'priority', 65_536, /from 0 to 65535/],
  ['trunk', 'weight', 0, /from 1 to 1000/],
  ['trunk', 'realm', 'a"b', /digest realm/],
  ['trunk', 'media_anchor', 'sometimes', /one of auto, always, never/],
  ['trunk', 'served_prefixes[1]', ['+49', '030'], /E\.164 prefix/],
  ['trunk', 'caller_number', '030123', /E\.164 number/],
  ['trunk', 'caller_policy', 'none', /one of own, any/],
  ['trunk', 'identity_header', 'from', /one of p-asserted-identity, remote-party-id, none/],
  ['trunk', 'failover_causes[0]', ['503'], /a cause of FreeSWITCH/],
  ['trunk', 'register', true, /only trunks to carriers/],
  ['number_rule', 'position', 0, /from 1 to 9999/],
  ['number_rule', 'strip', 33, /from 0 to 32/],
  ['number_rule', 'match', '^00', /up to 32 digits/],
  ['number_rule', 'prepend', '++', /up to 32/],
];

describe('the table of kinds', () => {
  it('has every kind of the proto', () => {
    const known = Object.values(Kind).filter((kind) => !['KIND_UNSPECIFIED', 'UNRECOGNIZED'].includes(kind));
    expect(kinds.map(({ kind }) => kind).sort()).toEqual(known.sort());
  });

  it('has every field of every message, under its name', () => {
    for (const spec of kinds) {
      const message = Object.keys(spec.message({}));
      const camel = fieldsOf(spec).map((field) =>
        field.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase()),
      );
      expect([...new Set(['id', ...camel])].sort(), spec.name).toEqual(
        [...new Set(['id', ...message])].sort(),
      );
    }
  });

  it('lets a kind only refer to kinds before it', () => {
    for (const { spec, row } of oneOfEach())
      for (const { kind } of spec.references(row))
        expect(kinds.indexOf(specOf(kind)), `${spec.name} -> ${kind}`).toBeLessThan(kinds.indexOf(spec));
  });

  it('marks every digest hash as a secret', () => {
    for (const spec of kinds)
      expect(spec.secrets).toEqual(fieldsOf(spec).filter((field) => field.startsWith('ha1_')));
  });
});

describe('validation', () => {
  it.each(wrong)('refuses %s.%s = %j', (name, path, value, expected) => {
    const field = path.replace(/\[.*/, '');
    const { row } = put(name);
    expect(() => requireRow(specOf(name), { ...row, [field]: value })).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        field: `${name}.${path}`,
        message: expect.stringMatching(expected),
      }),
    );
  });

  it.each(['__proto__', 'constructor', 'colour'])('refuses the unknown key %s', (key) => {
    const value = JSON.parse(`{"id": "a", "domain": "a.example", "${key}": {}}`);
    expect(() => requireRow(specOf('tenant'), value)).toThrow(/unknown key/);
  });

  it('asks for a hash where somebody gives a password', () => {
    expect(() => requireRow(specOf('agent'), { ...put('agent').row, password: 'x' })).toThrow(
      /expected ha1_md5/,
    );
  });

  it.each([
    ['digest', { username: '' }, 'username'],
    ['digest', { ha1_md5: '' }, 'ha1_md5'],
    ['tls', { tls_subject: '' }, 'tls_subject'],
  ])('refuses a %s trunk without what it needs', (auth, fields, field) => {
    const complete = { auth, username: 'pbx', ha1_md5: HA1, tls_subject: 'pbx.acme.example' };
    expect(() => put('trunk', complete)).not.toThrow();
    expect(() => put('trunk', { ...complete, ...fields })).toThrow(
      expect.objectContaining({ field: `trunk.${field}` }),
    );
  });

  it.each(['username', 'contact_uri'])('refuses a trunk that registers without %s', (field) => {
    const complete = {
      kind: 'carrier',
      register: true,
      username: 'acme',
      contact_uri: 'sip:sip.carrier.example',
    };
    expect(() => put('trunk', complete)).not.toThrow();
    expect(() => put('trunk', { ...complete, [field]: '' })).toThrow(
      expect.objectContaining({ field: `trunk.${field}` }),
    );
  });

  it('gives an agent a mailbox, and a trunk its own numbers only, unless told otherwise', () => {
    expect(put('agent').row.voicemail).toBe(true);
    expect(put('trunk').row).toMatchObject({ caller_policy: 'own', identity_header: 'p-asserted-identity' });
  });

  it.each([
    ['agent', 'alice@acme.example', true],
    ['voicemail', 'alice@acme.example', true],
    ['ring-group', 'alice@acme.example, bob@acme.example', true],
    ['ring-group', 'alice@acme.example,bob@acme.example|carol@acme.example', true],
    ['ring-group', 'alice@acme.example|alice@acme.example', false],
    ['ring-group', 'alice@acme.example,|bob@acme.example', false],
    ['ring-group', 'alice@acme.example,alice@acme.example', false],
    ['ring-group', '', false],
    ['conference', 'board-room', true],
    ['conference', 'board room', false],
    ['announcement', 'ivr/welcome.wav', true],
    ['announcement', 'tone_stream://%(400,200,425);loops=3', true],
    ['announcement', 'silence_stream://1000', true],
    ['announcement', '../other/secret.wav', false],
    ['announcement', '/etc/passwd', false],
    ['announcement', '${system(reboot)}', false],
    ['announcement', 'shell_stream:///bin/sh', false],
    ['announcement', 'http://evil/x.wav', false],
    ['external', '+4930123456', true],
    ['external', '110', false],
    ['trunk', 'acme-pbx', true],
    ['trunk', 'acme-pbx/200', true],
    ['trunk', 'acme-pbx/+4930200', true],
    ['trunk', 'acme-pbx/', false],
    ['trunk', 'acme-pbx/a,b', false],
    ['trunk', '${x}/200', false],
    ['control', '', true],
    ['control', 'queue:sales', true],
    ['control', '<xml>', false],
  ])('of a %s destination: %j is %s', (destination_kind, destination, good) => {
    const make = () => put('did', { destination_kind, destination });
    if (good) expect(make).not.toThrow();
    else expect(make).toThrow(expect.objectContaining({ field: 'did.destination' }));
  });
});

describe('a resource of the proto', () => {
  it('survives the way to a row and back', () => {
    for (const { spec, row } of oneOfEach()) {
      const resource = toResource({ spec, id: '', revision: 3, row });
      expect(fromResource(resource)).toMatchObject({ spec, row, revision: 3 });
    }
  });

  it('takes zero as not set: the default stands', () => {
    const { spec, row } = put('trunk');
    const resource = toResource({ spec, id: '', revision: 0, row: { ...row, weight: 0, media_anchor: '' } });
    expect(fromResource(resource).row).toMatchObject({ weight: 1, media_anchor: 'auto' });
  });

  it('keeps false false', () => {
    const { spec, row } = put('tenant', { enabled: false });
    expect(fromResource(toResource({ spec, id: '', revision: 0, row })).row.enabled).toBe(false);
  });

  it('is refused when it has a value of a newer proto', () => {
    const { spec, row } = put('trunk');
    const resource = toResource({ spec, id: '', revision: 0, row });
    (resource.value!.value as { kind: string }).kind = 'UNRECOGNIZED';
    expect(() => fromResource(resource)).toThrow(/expected one of hybrid, carrier/);
  });
});
