import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HA1 } from '../../../test/samples.ts';
import { kinds } from '../kinds/index.ts';
import { readDocuments } from './read.ts';

const GOOD = `tenant:
  id: acme
  domain: acme.example
agents:
  - username: alice
    ha1_md5: ${HA1}
trunks:
  - id: acme-pbx
    kind: hybrid
    auth: address
    source_addresses: [198.51.100.7, "198.51.100.8:5060"]
    rules:
      - { direction: inbound, position: 10, match: "00", strip: 2, prepend: "+" }
`;

function failure(text: string): { message: string; field?: string; code: string } {
  try {
    readDocuments(text);
  } catch (error) {
    return error as { message: string; field?: string; code: string };
  }
  throw new Error('it was taken');
}

describe("a tenant's document", () => {
  it('is its rows, with what its places say filled in', () => {
    const [document] = readDocuments(GOOD);
    expect(document?.tenant).toBe('acme');
    expect(document?.puts.map(({ spec }) => spec.name)).toEqual(['tenant', 'agent', 'trunk', 'number_rule']);
    expect(document?.puts[1]?.row).toMatchObject({ tenant_id: 'acme', username: 'alice', enabled: true });
    expect(document?.puts[3]?.row).toMatchObject({ trunk_id: 'acme-pbx', position: 10, party: 'called' });
  });

  it('stands for all of the tenant: what a section leaves out goes, also a whole section', () => {
    const [document] = readDocuments(GOOD);
    expect(document?.replace.map(({ spec, tenant }) => `${spec.name} of ${tenant}`)).toEqual([
      'tenant_app of acme',
      'agent of acme',
      'trunk of acme',
      'number_rule of acme',
      'did of acme',
    ]);
  });

  it.each([
    ['an unknown section', GOOD.replace('agents:', 'agnets:'), 'line 4, column 1: agnets: unknown section'],
    ['an unknown key', GOOD.replace('username:', 'user:'), 'line 5, column 5: agents[0].user: unknown key'],
    [
      'a missing key',
      GOOD.replace('  domain: acme.example\n', ''),
      'line 2, column 3: tenant.domain: is missing',
    ],
    ['a wrong value', GOOD.replace(HA1, 'secret'), 'line 6, column 14: agents[0].ha1_md5: expected MD5'],
    [
      'a wrong entry',
      GOOD.replace('198.51.100.8', '300.1.1.1'),
      'line 11, column 38: trunks[0].source_addresses[1]: expected an IP',
    ],
    [
      'a wrong nested value',
      GOOD.replace('strip: 2', 'strip: 99'),
      'line 13, column 65: trunks[0].rules[0].strip: expected a whole',
    ],
    [
      'an unquoted number',
      GOOD.replace('"00"', '00'),
      'trunks[0].rules[0].match: expected up to 32 digits, with or without "+", in quotes',
    ],
    [
      'a password',
      GOOD.replace(/ha1_md5: .*/, 'password: x'),
      'line 6, column 5: agents[0].password: passwords are not kept',
    ],
    [
      'what the place says',
      GOOD.replace('username:', 'tenant_id: b\n    username:'),
      'agents[0].tenant_id: unknown key: its place says it',
    ],
    ['a derived id', GOOD.replace('username:', 'id: x\n    username:'), 'agents[0].id: unknown key'],
    [
      'a map for a list',
      GOOD.replace('  - username: alice\n    ha1', '  username: alice\n  ha1'),
      'agents: expected a list',
    ],
    [
      'text for a map',
      GOOD.replace(/ {2}- username: alice\n.*\n/, '  - alice\n'),
      'line 5, column 5: agents[0]: expected a map',
    ],
    [
      'a key twice',
      GOOD.replace('  id: acme', '  id: acme\n  id: b'),
      'line 3, column 3: Map keys must be unique',
    ],
    [
      'a section of the platform',
      `${GOOD}node_groups: []\n`,
      'line 14, column 1: node_groups: unknown section',
    ],
    ['no YAML', 'tenant: [', 'line 1, column 10: '],
    ['a tag it does not know', 'tenant: !!js/function x', 'line 1, column 9: Unresolved tag'],
    ['a list', '- a', 'line 1, column 1: document: expected a map of sections'],
    ['nothing', '# only a comment\n', 'expected a'],
  ])('with %s is refused, and it says where', (_, text, message) => {
    expect(text).not.toBe(GOOD);
    const error = failure(text);
    expect(error.code).toBe('invalid_argument');
    expect(error.message).toContain(message);
  });

  it('names every problem, in the order they are written, and the first as the field', () => {
    const text = GOOD.replace('acme.example', 'ACME').replace(HA1, 'x').replace('hybrid', 'isdn');
    const { message, field } = failure(text);
    expect(message.split('\n').map((line) => line.split(':')[0])).toEqual([
      'line 3, column 11',
      'line 6, column 14',
      'line 9, column 11',
    ]);
    expect(field).toBe('tenant.domain');
  });

  it('does not tell a problem of the tenant again for all that is its', () => {
    expect(failure(GOOD.replace('id: acme\n', 'id: ACME\n')).message.split('\n')).toHaveLength(1);
  });

  it('is refused above 1 MiB, when it nests without end, and when aliases would explode', () => {
    expect(failure(`# ${'x'.repeat(1024 * 1024)}`)).toMatchObject({ code: 'too_large', field: 'yaml' });
    expect(failure('['.repeat(20_000)).message).toMatch(/nested too deeply/);
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (let n = 1; n < 9; n++) {
      const [name, of] = [String.fromCharCode(97 + n), String.fromCharCode(96 + n)];
      bomb.push(`${name}: &${name} [${Array(10).fill(`*${of}`).join(', ')}]`);
    }
    expect(failure(bomb.join('\n'))).toMatchObject({ code: 'invalid_argument' });
  });
});

describe("the platform's document", () => {
  it('is taken beside tenants in one text', () => {
    const documents = readDocuments(`node_groups: [{ id: media-a, role: media }]\n---\n${GOOD}`);
    expect(documents.map(({ tenant }) => tenant)).toEqual(['*', 'acme']);
  });

  it('stands only for the sections it has', () => {
    const [document] = readDocuments('links: []');
    expect(document?.replace.map(({ spec, tenant }) => `${spec.name} of ${tenant}`)).toEqual([
      'tenant_app of *',
    ]);
  });
});

describe('docs/operations.md', () => {
  const section = readFileSync(new URL('../../../../../docs/operations.md', import.meta.url), 'utf8')
    .split(/^## /m)
    .find((text) => text.startsWith('Tenants as YAML'))!;
  const blocks = [...section.matchAll(/```(\w*)\n(.*?)```/gs)].map(([, type, text]) => ({
    type,
    text: text!,
  }));
  const [tenant, platform] = blocks.filter(({ type }) => type === 'yaml').map(({ text }) => text);

  it('shows documents that are taken', () => {
    expect(readDocuments(`${tenant}---\n${platform}`).map(({ tenant }) => tenant)).toEqual(['acme', '*']);
  });

  it('shows every field a document may have', () => {
    const shown = `${tenant}${platform}`;
    for (const { schema, section } of kinds) {
      const implied = ['tenant_id', section?.under?.field, 'tls_subject'];
      for (const field of Object.keys(schema.shape))
        if (!implied.includes(field)) expect(shown, field).toMatch(new RegExp(`\\b${field}:`));
    }
  });

  it('shows the messages of mistakes as they are', () => {
    const { message } = failure(tenant!.replace(/9b2a\w+/, 'secret').replace('198.51.100.8:5060', 'pbx'));
    expect(blocks.find(({ type }) => type === '')?.text.trim()).toBe(message);
  });
});
