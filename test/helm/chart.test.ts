import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '@callmesh/runtime';
import { beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configSchema as callControl } from '../../services/call-control/src/config.ts';
import { configSchema as nodeAgent } from '../../services/node-agent/src/config.ts';
import { configSchema as policy } from '../../services/policy/src/config.ts';
import { configSchema as sessionCache } from '../../services/session-cache/src/config.ts';
import { configSchema as state } from '../../services/state/src/config.ts';
import { configSchema as tenantRegistry } from '../../services/tenant-registry/src/config.ts';
import { CHART, examples, inParallel, type Manifest, ofKind, render, workloads } from './chart.ts';
import { combinations } from './combinations.ts';
import { golden } from './golden.ts';
import { schemaErrors, typeErrors } from './kubernetes.ts';
import { configOf, letIn, listeners } from './listeners.ts';
import { freeswitchVariables } from './variables.ts';
import { withHelm } from './with-helm.ts';

const schemas = {
  'call-control': callControl,
  'node-agent': nodeAgent,
  policy,
  'session-cache': sessionCache,
  state,
  'tenant-registry': tenantRegistry,
} as const;

/** What a pod's environment could be. */
const ENVIRONMENT = {
  POD_NAME: 'callmesh-media-0',
  POD_IP: '10.40.0.7',
  CALLMESH_TOKEN: '0123456789abcdef',
  ESL_PASSWORD: 'x',
};

const cases: readonly (readonly [name: string, example: string, values: object])[] = [
  ...examples.map((example) => [`example ${example}`, example, {}] as const),
  ...combinations,
];

withHelm('the chart', () => {
  const rendered = new Map<string, Manifest[]>();
  const all = () =>
    [...rendered].flatMap(([name, manifests]) =>
      manifests.map((manifest) => ({ name, manifest, manifests })),
    );
  const pods = () =>
    [...rendered].flatMap(([name, manifests]) =>
      workloads(manifests).map((workload) => ({ name, workload, manifests })),
    );

  beforeAll(async () => {
    const results = await inParallel(cases, ([, example, values]) => render(example, { ...values }));
    for (const [index, [name]] of cases.entries()) rendered.set(name, results[index]!);
  }, 120_000);

  it('renders for every example and many combinations of values', () => {
    expect(combinations.length).toBeGreaterThanOrEqual(30);
    expect(rendered.size).toBe(cases.length);
    for (const [name, manifests] of rendered) expect(manifests.length, name).toBeGreaterThan(10);
  });

  it.each(examples)('renders %s as it was looked at and committed', async (example) => {
    await expect(golden(rendered.get(`example ${example}`)!)).toMatchFileSnapshot(`golden/${example}.yaml`);
  });

  it("makes what Kubernetes' schemas take", async () => {
    const found = await Promise.all(all().map(({ manifest }) => schemaErrors(manifest)));
    expect(found.flat()).toEqual([]);
  });

  it('sets no field that Kubernetes does not know', () => {
    expect(typeErrors(all().map(({ manifest }) => manifest))).toBe('');
    const wrong = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, dta: {} };
    expect(typeErrors([wrong])).toMatch(/dta.* does not exist in type 'IConfigMap'/);
  });

  it('names nothing twice', () => {
    for (const [name, manifests] of rendered) {
      const ids = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
      expect(new Set(ids).size, name).toBe(ids.length);
    }
  });

  it("gives every service a configuration that service's own schema takes", () => {
    for (const { name, workload, manifests } of pods()) {
      for (const { args, env } of workload.spec.template.spec.containers as Manifest[]) {
        const schema = schemas[args?.[0] as keyof typeof schemas];
        if (!schema) continue;
        const given = Object.fromEntries(
          env.map((one: Manifest) => [one.name, 'a-secret-of-the-environment']),
        );
        const database = { DATABASE_URL: 'postgres://callmesh:x@db:5432/callmesh' };
        const config = configOf(manifests, workload)!;
        const parsed = parseConfig(schema, config, {
          ...given,
          ...(given.DATABASE_URL && database),
          ...ENVIRONMENT,
        });
        expect(parsed.state_dir, name).toBe('/var/lib/callmesh');
      }
    }
  });

  it('lets in exactly what each pod listens on, and declares it', () => {
    for (const { name, workload, manifests } of pods()) {
      const at = `${name}: ${workload.metadata.name}`;
      const open = listeners(manifests, workload);
      expect(open, at).not.toEqual([]);
      const ports = workload.spec.template.spec.containers.flatMap((container: Manifest) => container.ports);
      const declared = ports.map(
        ({ containerPort, protocol = 'TCP' }: Manifest) => `${containerPort}/${protocol}`,
      );
      // A range cannot be declared, and a store's health is the kubelet's alone.
      expect(declared.filter((port: string) => port !== '8222/TCP').sort(), at).toEqual(
        open.filter((port) => !port.includes('-')),
      );
      if (name === 'no network policies') expect(ofKind(manifests, 'NetworkPolicy')).toEqual([]);
      else if (name !== 'metrics for nobody') expect(letIn(manifests, workload), at).toEqual(open);
    }
  });

  it('lets nobody in by default, nor out', () => {
    for (const manifests of rendered.values()) {
      const all = ofKind(manifests, 'NetworkPolicy').find(
        ({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'network',
      );
      if (all) expect(all.spec).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
      expect(all?.spec.ingress).toBeUndefined();
    }
  });

  it('passes the restricted profile in every container, but for the network of the host where that is asked for', () => {
    for (const { name, workload } of pods()) {
      const { securityContext, containers, hostNetwork, automountServiceAccountToken } =
        workload.spec.template.spec;
      expect(securityContext, name).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(automountServiceAccountToken).toBe(false);
      for (const container of containers)
        expect(container.securityContext, `${name}: ${container.name}`).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      if (hostNetwork)
        expect(['node', 'edge', 'rtpengine']).toContain(
          workload.metadata.labels?.['app.kubernetes.io/component'],
        );
    }
  });

  it('asks whether a container has started, can work and lives by three probes', () => {
    for (const { workload } of pods())
      for (const { startupProbe, readinessProbe, livenessProbe } of workload.spec.template.spec.containers)
        expect([startupProbe, readinessProbe, livenessProbe]).not.toContain(undefined);
  });

  it('stops a FreeSWITCH only when its last call has ended, for as long as was set', () => {
    const nodes = pods().filter(
      ({ workload }) => workload.metadata.labels?.['app.kubernetes.io/component'] === 'node',
    );
    expect(nodes.length).toBeGreaterThan(50);
    for (const { name, workload } of nodes) {
      const { containers, terminationGracePeriodSeconds } = workload.spec.template.spec;
      const hooks = containers.map(({ lifecycle }: Manifest) =>
        lifecycle.preStop.exec.command.at(-1).split('/').at(-1),
      );
      expect(hooks).toEqual(['freeswitch-stop.sh', 'node-stop.sh']);
      if (name === 'drains of a day') expect(terminationGracePeriodSeconds).toBe(86_400);
    }
  });

  it('sets the variables the roles of FreeSWITCH read, and no other', () => {
    const { known, required } = freeswitchVariables();
    for (const { workload } of pods())
      for (const { name, env } of workload.spec.template.spec.containers as Manifest[]) {
        if (name !== 'freeswitch') continue;
        const set = env
          .map((one: Manifest) => one.name)
          .filter((variable: string) => variable.startsWith('FS_'));
        expect(set.filter((variable: string) => !known.has(variable))).toEqual([]);
        expect([...required].filter((variable) => !set.includes(variable))).toEqual([]);
      }
  });

  it('has every configuration file of the roles it starts', () => {
    const [folder] = ofKind(rendered.get('example trial')!, 'ConfigMap').filter(({ metadata }) =>
      metadata.name.endsWith('fs-media'),
    );
    expect(Object.keys(folder!.data)).toContain('freeswitch.xml');
    expect(folder!.data['freeswitch.xml']).toContain('<document type="freeswitch/xml">');
  });

  it('ships every dashboard and alert there is', () => {
    const manifests = rendered.get('all that watches')!;
    const boards = ofKind(manifests, 'ConfigMap').filter(
      ({ metadata }) => metadata.labels?.grafana_dashboard,
    );
    const files = readdirSync(join(CHART, 'files/dashboards'));
    expect(boards.flatMap(({ data }) => Object.keys(data)).sort()).toEqual(files.sort());
    const [rules] = ofKind(manifests, 'PrometheusRule');
    expect(rules!.spec).toEqual(parse(readFileSync(join(CHART, 'files/alerts.yaml'), 'utf8')));
  });

  it('puts no two pods of the host network on the same ports of the one host of the trial', () => {
    const taken = pods()
      .filter(({ name, workload }) => name === 'example trial' && workload.spec.template.spec.hostNetwork)
      .flatMap(({ workload }) => workload.spec.template.spec.containers)
      .flatMap((container: Manifest) =>
        container.ports.map(({ containerPort, protocol }: Manifest) => `${containerPort}/${protocol}`),
      );
    expect(taken.length).toBeGreaterThan(10);
    expect(new Set(taken).size).toBe(taken.length);
  });

  it('signs for each service the name it is called by', () => {
    const certificates = ofKind(rendered.get('example production')!, 'Certificate');
    for (const service of [...Object.keys(schemas)]) {
      const own = certificates.find(({ spec }) => spec.commonName === service);
      expect(own?.spec.dnsNames, service).toContain(service);
    }
  });

  it('starts pods anew when their configuration changes, and no others', async () => {
    const checksum = (manifests: readonly Manifest[], name: string) =>
      workloads(manifests).find(({ metadata }) => metadata.name === name)!.spec.template.metadata.annotations[
        'checksum/config'
      ];
    const before = rendered.get('example trial')!;
    const after = await render('trial', {
      services: { policy: { config: { registrations: { expires_s: 120 } } } },
    });
    expect(checksum(after, 'callmesh-policy')).not.toBe(checksum(before, 'callmesh-policy'));
    expect(checksum(after, 'callmesh-state')).toBe(checksum(before, 'callmesh-state'));
  });
});
