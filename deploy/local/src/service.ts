import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ROOT } from './paths.ts';
import { Process } from './process.ts';

/** What all services of one local mesh share. */
export interface Surroundings {
  readonly dir: string;
  readonly etcd: string;
  readonly nats: string;
  readonly token: string;
  /** Their `telemetry` section. */
  readonly telemetry?: Record<string, unknown> | undefined;
}

export type ServiceName =
  | 'tenant-registry'
  | 'session-cache'
  | 'state'
  | 'policy'
  | 'call-control'
  | 'node-agent';

/** A service of ours as a process; `config` is added to what all services share. */
export function serviceProcess(
  around: Surroundings,
  service: ServiceName,
  instance: string,
  config: Record<string, unknown> = {},
): Process {
  const stateDir = join(around.dir, instance);
  mkdirSync(stateDir, { recursive: true });
  const file = join(stateDir, 'config.yaml');
  writeFileSync(
    file,
    stringify({
      instance,
      etcd: { endpoints: [around.etcd] },
      nats: { servers: [around.nats] },
      auth: { token: '${CALLMESH_TOKEN}' },
      state_dir: stateDir,
      ...(around.telemetry && { telemetry: around.telemetry }),
      ...config,
    }),
  );
  return new Process({
    name: instance,
    command: process.execPath,
    args: [
      ...['--disable-warning=ExperimentalWarning', '--max-old-space-size=512'],
      ...[join(ROOT, 'services', service, 'src/main.ts'), '--config', file],
    ],
    env: { CALLMESH_TOKEN: around.token, NODE_COMPILE_CACHE: join(ROOT, '.cache', 'node') },
    log: join(around.dir, `${instance}.log`),
  });
}
