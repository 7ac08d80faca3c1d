import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@callmesh/local';
import type { Manifest } from './chart.ts';

/** Packages with the schemas of objects that are not Kubernetes' own, by API group. */
const PACKAGES: Readonly<Record<string, string>> = {
  'cert-manager.io': '@kubernetes-models/cert-manager',
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

/** Module with the schema and the type of an object's kind. */
function moduleOf({ apiVersion, kind }: Manifest): string {
  const group = apiVersion.split('/')[0]!;
  return `${PACKAGES[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
}

/** What Kubernetes' OpenAPI schema has against an object; nothing: it is valid. Fields it does not know pass. */
export async function schemaErrors(manifest: Manifest): Promise<string[]> {
  const module = (await import(moduleOf(manifest))) as Record<
    string,
    new (
      data: unknown,
    ) => { validate(): void }
  >;
  try {
    new module[manifest.kind]!(manifest).validate();
    return [];
  } catch (error) {
    return [`${manifest.kind} ${manifest.metadata.name}: ${(error as Error).message}`];
  }
}

/** What the compiler has against objects as literals of Kubernetes' types: fields that are not there, above all. */
export function typeErrors(manifests: readonly Manifest[]): string {
  const literals = new Map(manifests.map((manifest) => [JSON.stringify(manifest), manifest]));
  const modules = [...new Set([...literals.values()].map(moduleOf))];
  const nameOf = (module: string) => `K${modules.indexOf(module)}`;
  const lines = [
    ...modules.map(
      (module) => `import type { I${module.split('/').at(-1)} as ${nameOf(module)} } from '${module}';`,
    ),
    ...[...literals].map(
      ([json, manifest]) => `({}) satisfies object; (${json}) satisfies ${nameOf(moduleOf(manifest))};`,
    ),
  ];
  // Below node_modules of the tests: the types are found from there.
  const folder = join(ROOT, 'test/node_modules/.cache/callmesh-helm');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'manifests.ts');
  writeFileSync(file, `${lines.join('\n')}\nexport {};\n`);
  const options = [
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
    '--types',
    '',
    '--ignoreConfig',
  ];
  const { stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), [...options, file], {
    encoding: 'utf8',
  });
  return `${stdout}${stderr}`.trim();
}
