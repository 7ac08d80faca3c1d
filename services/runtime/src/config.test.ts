import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { commonConfig, parseConfig } from './config.ts';

const schema = z.strictObject({
  ...commonConfig,
  strategy: z.enum(['lightest', 'random']).default('lightest'),
});
const minimal = 'auth: { token: 0123456789abcdef }\nstate_dir: /tmp/x\n';

describe('a service config', () => {
  it('fills what is not said with defaults', () => {
    const config = parseConfig(schema, minimal);
    expect(config.strategy).toBe('lightest');
    expect(config.grpc.listen).toBe('127.0.0.1:0');
  });

  it.each([
    ['an unknown key', `${minimal}stratgy: random\n`, 'stratgy'],
    ['a user of etcd without password', `${minimal}etcd: { username: mesh }\n`, 'etcd.password'],
    ['TLS to etcd without https', `${minimal}etcd: { tls: { ca: a } }\n`, 'etcd.endpoints'],
    ['a key without its certificate', `${minimal}nats: { tls: { ca: a, key: b } }\n`, 'nats.tls.key'],
    ['two ways into NATS', `${minimal}nats: { token: a, creds_file: b }\n`, 'nats.user'],
    ['an unknown nested key', `${minimal}nats: { servrs: [] }\n`, 'nats.servrs'],
    ['a wrong value', `${minimal}strategy: heaviest\n`, 'strategy'],
    ['a port that is none', `${minimal}grpc: { listen: "127.0.0.1:70000" }\n`, 'grpc.listen'],
    ['a missing key', 'state_dir: /tmp/x\n', 'auth'],
    ['a document that is not YAML', 'auth: { token: ${X} }', '(document)'],
    ['an unset variable', minimal.replace('0123456789abcdef', '"${CALLMESH_NOT_SET}"'), 'auth.token'],
  ])('names the field of %s', (_, text, field) => {
    expect(() => parseConfig(schema, text, {})).toThrow(
      expect.objectContaining({ code: 'invalid_argument', field }),
    );
  });

  it('takes secrets from the environment', () => {
    const text = minimal.replace('0123456789abcdef', '"${CALLMESH_TOKEN}"');
    expect(parseConfig(schema, text, { CALLMESH_TOKEN: 'a-token-of-the-mesh' }).auth.token).toBe(
      'a-token-of-the-mesh',
    );
  });
});
