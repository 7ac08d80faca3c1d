import { isScalar, parseDocument, stringify, visit } from 'yaml';
import type { Manifest } from './chart.ts';

/** Collections shorter than this stand on one line. */
const SHORT = 110;
/** Labels that every object has. */
const COMMON = ['name', 'version', 'part-of', 'managed-by'].map((label) => `app.kubernetes.io/${label}`);

/**
 * A render to be read: without what every object has, without files that are committed elsewhere, and what is the same
 * in each zone once.
 */
export function golden(manifests: readonly Manifest[]): string {
  const seen = new Map<string, string>();
  const parts = manifests
    .filter(({ metadata }) => !metadata.name.includes('-dashboard-'))
    .map((manifest) => {
      const { kind, metadata } = manifest;
      const zone = metadata.labels?.['callmesh.io/zone'];
      const text = compact(readable(manifest));
      const shape = zone ? text.replaceAll(zone, '<zone>') : text;
      const first = seen.get(shape);
      if (first) return `# ${kind} ${metadata.name}: as ${first}\n`;
      seen.set(shape, metadata.name);
      return text;
    });
  return parts.join('---\n');
}

function readable(manifest: Manifest): unknown {
  const { data, ...rest } = manifest;
  const elsewhere = manifest.metadata.name.includes('-freeswitch-') || manifest.kind === 'PrometheusRule';
  const { spec, ...head } = rest;
  return JSON.parse(
    JSON.stringify(
      {
        ...head,
        ...(data && { data: elsewhere ? '(committed elsewhere)' : data }),
        ...(spec && { spec: elsewhere ? '(committed elsewhere)' : spec }),
      },
      (key, value) => {
        if (COMMON.includes(key)) return undefined;
        return key === 'checksum/config' ? '(of what it is configured with)' : value;
      },
    ),
  );
}

function compact(value: unknown): string {
  const document = parseDocument(stringify(value));
  visit(document, {
    Collection(_key, node) {
      const text = JSON.stringify(node.toJSON());
      if (text.length < SHORT && !text.includes('\\n')) node.flow = true;
    },
    Scalar(_key, node) {
      if (isScalar(node) && typeof node.value === 'string' && node.value.includes('\n'))
        node.type = 'BLOCK_LITERAL';
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}
