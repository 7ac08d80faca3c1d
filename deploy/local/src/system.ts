import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.ts';

/** Debian packages by what needs them. */
const PACKAGES = {
  'Kamailio, the doors': [
    'kamailio',
    'kamailio-extra-modules',
    'kamailio-json-modules',
    'kamailio-utils-modules',
    'kamailio-tls-modules',
    'kamailio-websocket-modules',
  ],
  'rtpengine, media at the doors': ['rtpengine-daemon'],
  'etcd, discovery and liveness': ['etcd-server'],
  'NATS, events and bindings': ['nats-server'],
  'building the Kamailio module http_async_client, which Debian leaves out': [
    'dpkg-dev',
    'gcc',
    'libc6-dev',
    'make',
    'pkg-config',
    'flex',
    'bison',
    'libevent-dev',
    'libcurl4-openssl-dev',
  ],
} as const;

/** What only the tests need beside that. */
const TEST_PACKAGES = {
  'sipp, calls from outside': ['sip-tester'],
  'etcdctl, which gives etcd its users': ['etcd-client'],
  'PostgreSQL, the second store of tenant-registry': ['postgresql'],
  'Chromium, agents in a browser': ['chromium'],
  'tmux, which records what a terminal shows': ['tmux'],
  'Prometheus, which asks what the dashboards ask': ['prometheus'],
} as const;

/** Keeps Debian from starting the servers it installs: ours run from folders of their own. */
const POLICY_RC = '/usr/sbin/policy-rc.d';
const ATTEMPTS = 4;
const MODULES = join(ROOT, '.cache', 'kamailio-modules');

/** Where the built http_async_client is; Kamailio is started with it in its module path. */
export const kamailioModules = MODULES;

export type Progress = (what: string) => void;

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** Runs a program to its end; each line it prints goes to `onLine`. */
function run(program: string, args: readonly string[], onLine: Progress = () => {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk: Buffer) => {
      output += chunk;
      for (const line of chunk.toString().split('\n')) if (line.trim()) onLine(line.trim());
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

async function runOrThrow(
  program: string,
  args: readonly string[],
  onLine: Progress = () => {},
): Promise<void> {
  const { code, output } = await run(program, args, onLine);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${output.slice(-2000)}`);
}

/** As runOrThrow, again when a registry times out. */
async function retry(program: string, args: readonly string[], onLine: Progress): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runOrThrow(program, args, onLine);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      onLine(`attempt ${attempt} failed, trying again`);
    }
  }
}

/** Root runs a program itself; everybody else by sudo. */
const asRoot = (program: string, args: readonly string[]): [string, string[]] =>
  process.getuid?.() === 0 ? [program, [...args]] : ['sudo', [program, ...args]];

async function missing(names: readonly string[]): Promise<string[]> {
  const { output } = await run('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names]);
  const installed = new Set(
    output
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/** Installs what is missing of the Debian packages, saying what and why first. */
export async function installSystem(progress: Progress, { tests = false } = {}): Promise<void> {
  if (!existsSync('/etc/debian_version'))
    throw new Error('expected a Debian machine: the parts come from its packages');
  const groups = Object.entries({ ...PACKAGES, ...(tests ? TEST_PACKAGES : {}) });
  const wanted = await missing(groups.flatMap(([, names]) => names));
  if (wanted.length > 0) {
    for (const [why, names] of groups) {
      const these = names.filter((name) => wanted.includes(name));
      if (these.length > 0) progress(`needed for ${why}: ${these.join(' ')}`);
    }
    progress(`installing ${wanted.length} Debian packages${process.getuid?.() === 0 ? '' : ' with sudo'}`);
    await withoutAutostart(async () => {
      await retry(...asRoot('apt-get', ['update', '-q']), () => {});
      await retry(
        ...asRoot('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...wanted]),
        (line) => {
          if (/^(Get:|Setting up)/.test(line)) progress(line);
        },
      );
    });
  }
  mkdirSync(MODULES, { recursive: true });
  await runOrThrow('sh', [join(ROOT, 'deploy/local/http-async-client.sh'), MODULES], progress);
}

async function withoutAutostart(install: () => Promise<void>): Promise<void> {
  if (existsSync(POLICY_RC)) return install();
  const local = join(ROOT, '.cache', 'policy-rc.d');
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  writeFileSync(local, '#!/bin/sh\nexit 101\n');
  await runOrThrow(...asRoot('install', ['-m', '755', local, POLICY_RC]));
  try {
    await install();
  } finally {
    await runOrThrow(...asRoot('rm', ['-f', POLICY_RC]));
    rmSync(local);
  }
}
