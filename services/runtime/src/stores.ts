import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  type TlsOptions,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/nats-core';
import type { IOptions } from 'etcd3';
import { z } from 'zod';
import { fail } from './errors.ts';

const together = (a: unknown, b: unknown) => (a === undefined) === (b === undefined);

/** TLS towards a store: who it must be, and the certificate to show where it asks for one. Files. */
const clientTls = z
  .strictObject({ ca: z.string(), cert: z.string().optional(), key: z.string().optional() })
  .refine(({ cert, key }) => together(cert, key), { path: ['key'], error: 'expected cert and key together' });

export const etcdConfig = z
  .strictObject({
    endpoints: z.array(z.url()).min(1).default(['http://127.0.0.1:2379']),
    username: z.string().min(1).optional(),
    password: z.string().min(1).optional(),
    tls: clientTls.optional(),
  })
  .refine(({ username, password }) => together(username, password), {
    path: ['password'],
    error: 'expected username and password together',
  })
  .refine(({ endpoints }) => new Set(endpoints.map((url) => url.startsWith('https:'))).size === 1, {
    path: ['endpoints'],
    error: 'expected https:// for all or for none',
  })
  .refine(({ endpoints, tls }) => !tls || endpoints.every((url) => url.startsWith('https:')), {
    path: ['endpoints'],
    error: 'expected https:// with tls',
  });

export const natsConfig = z
  .strictObject({
    servers: z.array(z.url()).min(1).default(['nats://127.0.0.1:4222']),
    /** Copies JetStream keeps of streams and buckets: 1 locally, 3 in a cluster. */
    replicas: z.int().min(1).max(5).default(1),
    user: z.string().min(1).optional(),
    password: z.string().min(1).optional(),
    token: z.string().min(1).optional(),
    /** A file with an nkey's seed. */
    nkey_file: z.string().optional(),
    /** A file with a user's JWT and seed, as `nsc` writes it. */
    creds_file: z.string().optional(),
    tls: clientTls.optional(),
  })
  .refine(({ user, password }) => together(user, password), {
    path: ['password'],
    error: 'expected user and password together',
  })
  .refine((nats) => credentialsOf(nats).length <= 1, {
    path: ['user'],
    error: 'expected one of user, token, nkey_file and creds_file',
  });

type EtcdConfig = z.infer<typeof etcdConfig>;
type NatsConfig = z.infer<typeof natsConfig>;

/** The keys by which the config says who this is. */
export function credentialsOf(nats: object): string[] {
  return ['user', 'token', 'nkey_file', 'creds_file'].filter((key) => nats[key as keyof typeof nats]);
}

/** How etcd3 is to speak to etcd. Errors: invalid_argument, naming a file that cannot be read. */
export function etcdAccess({
  username,
  password,
  tls,
}: Omit<EtcdConfig, 'endpoints'>): Pick<IOptions, 'auth' | 'credentials'> {
  return {
    ...(username && password && { auth: { username, password } }),
    ...(tls && {
      credentials: {
        rootCertificate: contents(tls.ca, 'etcd.tls.ca'),
        ...(tls.key && { privateKey: contents(tls.key, 'etcd.tls.key') }),
        ...(tls.cert && { certChain: contents(tls.cert, 'etcd.tls.cert') }),
      },
    }),
  };
}

/** How to speak to NATS. Errors: invalid_argument, naming a file that cannot be read. */
export function natsAccess(nats: NatsConfig): { authenticator?: Authenticator; tls?: TlsOptions } {
  const { tls } = nats;
  const authenticator = natsAuthenticator(nats);
  return {
    ...(authenticator && { authenticator }),
    ...(tls && {
      tls: {
        ca: contents(tls.ca, 'nats.tls.ca').toString(),
        ...(tls.key && { key: contents(tls.key, 'nats.tls.key').toString() }),
        ...(tls.cert && { cert: contents(tls.cert, 'nats.tls.cert').toString() }),
      },
    }),
  };
}

function natsAuthenticator(nats: NatsConfig): Authenticator | undefined {
  const { user, password, token, nkey_file, creds_file } = nats;
  if (user) return usernamePasswordAuthenticator(user, password);
  if (token) return tokenAuthenticator(token);
  if (creds_file) return credsAuthenticator(contents(creds_file, 'nats.creds_file'));
  if (!nkey_file) return undefined;
  const seed = contents(nkey_file, 'nats.nkey_file').toString().trim();
  return nkeyAuthenticator(new TextEncoder().encode(seed));
}

function contents(file: string, field: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw fail('invalid_argument', `config ${field}: ${(error as Error).message}`, { field, cause: error });
  }
}
