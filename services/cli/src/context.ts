import { fail } from '@callmesh/runtime';
import type { Command } from 'commander';
import { Connection } from './connection.ts';
import type { Format } from './output.ts';

/** What a command works with. */
export interface Context {
  readonly connection: Connection;
  readonly format: Format;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
}

interface GlobalOptions {
  readonly output: Format;
  readonly etcd: string;
  readonly etcdCa?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly etcdUser?: string;
  readonly server: readonly string[];
  readonly token: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly timeout: number;
}

/** Runs a command's work over a connection that is closed afterwards. */
export async function inContext(command: Command, work: (context: Context) => Promise<void>): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const interrupted = new AbortController();
  const onSignal = () => interrupted.abort();
  process.once('SIGINT', onSignal);
  const connection = new Connection({
    etcd: options.etcd.split(',').map((url) => url.trim()),
    etcdAccess: etcdAccessOf(options),
    server: options.server,
    token: options.token,
    tls: tlsOf(options),
    timeoutMs: milliseconds(options.timeout),
  });
  try {
    await work({ connection, format: options.output, signal: interrupted.signal });
  } finally {
    process.off('SIGINT', onSignal);
    connection.close();
  }
}

function milliseconds(seconds: number): number {
  if (!(seconds > 0)) throw fail('invalid_argument', '--timeout: expected seconds above 0');
  return seconds * 1000;
}

function tlsOf({ tlsCa: ca, tlsCert: cert, tlsKey: key }: GlobalOptions) {
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if (ca === undefined || cert === undefined || key === undefined)
    throw fail('invalid_argument', 'expected --tls-ca, --tls-cert and --tls-key together');
  return { ca, cert, key };
}

function etcdAccessOf({ etcdCa: ca, etcdCert: cert, etcdKey: key, etcdUser: username }: GlobalOptions) {
  const password = process.env.CALLMESH_ETCD_PASSWORD;
  if ((cert === undefined) !== (key === undefined) || (cert !== undefined && ca === undefined))
    throw fail('invalid_argument', 'expected --etcd-cert and --etcd-key together, and --etcd-ca with them');
  if (username !== undefined && !password)
    throw fail('invalid_argument', 'expected CALLMESH_ETCD_PASSWORD with --etcd-user');
  return {
    ...(ca !== undefined && { tls: { ca, ...(cert !== undefined && { cert, key }) } }),
    ...(username !== undefined && { username, password }),
  };
}
