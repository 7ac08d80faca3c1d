import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A certificate authority of one's own, in a folder of its own: a temporary one unless given. */
export class Authority {
  readonly #folder: string;

  constructor(folder = mkdtempSync(join(tmpdir(), 'authority-'))) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#openssl(
      'req',
      '-x509',
      ...newKey,
      '-days',
      '2',
      '-subj',
      '/CN=callmesh local',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
    );
  }

  get certificate(): Buffer {
    return readFileSync(this.file('ca.pem'));
  }

  file(name: string): string {
    return join(this.#folder, name);
  }

  /** Makes `<name>.key` and `<name>.pem`; alternative names as openssl writes them: `DNS:a,URI:sip:b`. */
  issue(name: string, alternatives = ''): { key: Buffer; cert: Buffer } {
    this.#openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    writeFileSync(this.file('extensions'), alternatives ? `subjectAltName=${alternatives}\n` : '');
    const signer = [
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-extfile',
      'extensions',
      '-days',
      '2',
    ];
    this.#openssl('x509', '-req', '-in', `${name}.csr`, ...signer, '-out', `${name}.pem`);
    return { key: readFileSync(this.file(`${name}.key`)), cert: readFileSync(this.file(`${name}.pem`)) };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'ignore' });
  }
}

/**
 * A file of Kamailio's tls module: a certificate of this authority for loopback. Clients are asked for theirs,
 * which is verified when there is one, unless they are browsers: those give up a WebSocket that asks.
 */
export function tlsConfig(authority: Authority, clients: 'phones' | 'browsers' = 'phones'): string {
  authority.issue('edge', 'IP:127.0.0.1,DNS:localhost');
  const file = authority.file('tls.cfg');
  const lines = [
    ...['[server:default]', 'method = TLSv1.2+', 'require_certificate = no'],
    `verify_certificate = ${clients === 'phones' ? 'yes' : 'no'}`,
    ...[`private_key = ${authority.file('edge.key')}`, `certificate = ${authority.file('edge.pem')}`],
    ...[`ca_list = ${authority.file('ca.pem')}`, '[client:default]', ''],
  ];
  writeFileSync(file, lines.join('\n'));
  return file;
}
