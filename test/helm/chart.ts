import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installHelm, ROOT } from '@callmesh/local';
import { parseAllDocuments, stringify } from 'yaml';

const run = promisify(execFile);

export const CHART = join(ROOT, 'deploy/helm/callmesh');
export const examples = ['trial', 'production', 'hybrid-trunks'] as const;

/** Values over those of an example. */
export type Values = Readonly<Record<string, unknown>>;

/** A Kubernetes object; what is in it is asked by path. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  // biome-ignore lint/suspicious/noExplicitAny: rendered objects are of any kind; their schema is looked at apart
  readonly [key: string]: any;
}

/** What the chart makes of an example, or of nothing (""), with `values` over it. Errors: with what helm says, in `stderr`. */
export async function render(example: string, values: Values = {}): Promise<Manifest[]> {
  const helm = installHelm();
  const args = ['template', 'callmesh', CHART, '--namespace', 'telephony', '--kube-version', '1.33.0'];
  const base = example ? ['-f', join(CHART, 'values', `${example}.yaml`)] : [];
  const child = run(helm, [...args, ...base, '-f', '-'], { maxBuffer: 64 * 1024 * 1024 });
  child.child.stdin?.end(stringify(values));
  const { stdout } = await child;
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

/** What helm says of values that are wrong. */
export async function refusal(example: string, values: Values): Promise<string> {
  try {
    await render(example, values);
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
  throw new Error('helm took the values');
}

/** Results in the order of the items, so many at a time. */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  width = 3,
): Promise<R[]> {
  const results: R[] = [];
  const queue = [...items.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

const POD_KINDS = ['Deployment', 'StatefulSet', 'DaemonSet'];
export const workloads = (manifests: readonly Manifest[]) =>
  manifests.filter(({ kind }) => POD_KINDS.includes(kind));
export const ofKind = (manifests: readonly Manifest[], kind: string) =>
  manifests.filter((manifest) => manifest.kind === kind);

/** The object of a kind and name. */
export function named(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (!found) throw new Error(`the chart renders no ${kind} ${name}`);
  return found;
}
