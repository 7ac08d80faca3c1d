import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/nats-core';
import { afterAll, describe, expect, it } from 'vitest';
import { natsAccess } from './stores.ts';

const dir = mkdtempSync(join(tmpdir(), 'callmesh-stores-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const nats = { servers: ['nats://127.0.0.1:4222'], replicas: 1 };

describe('access to NATS', () => {
  it('signs what the server asks with the seed of nkey_file, which may end with a newline', () => {
    const pair = nkeys.createUser();
    const nkey_file = join(dir, 'seed');
    writeFileSync(nkey_file, `${new TextDecoder().decode(pair.getSeed())}\n`);
    const { authenticator } = natsAccess({ ...nats, nkey_file });
    expect(authenticator!('nonce')).toMatchObject({ nkey: pair.getPublicKey(), sig: expect.any(String) });
  });

  it('names the key whose file cannot be read', () => {
    const missing = join(dir, 'missing');
    expect(() => natsAccess({ ...nats, creds_file: missing })).toThrow(/nats\.creds_file/);
    expect(() => natsAccess({ ...nats, tls: { ca: missing } })).toThrow(/nats\.tls\.ca/);
  });
});
