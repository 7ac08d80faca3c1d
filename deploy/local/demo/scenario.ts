import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { ROOT } from '../src/paths.ts';
import type { MeshSpec, NodeSpec } from '../src/spec.ts';

const HERE = join(ROOT, 'deploy/local/demo');

/** Agents of one tenant who can sign in; their hashes are in the tenants' documents. */
export const LOGINS = [
  { agent: 'alice@acme.example', extension: '201', password: 'demo-only' },
  { agent: 'bob@acme.example', extension: '202', password: 'demo-only' },
] as const;

/** Nodes of the demo. The robots' cluster is left out where each node is a whole FreeSWITCH: two cores are few. */
function nodes(server: 'standin' | 'freeswitch'): NodeSpec[] {
  const real = server === 'freeswitch';
  const media = (id: string, group: string, max: number, zone: string): NodeSpec => ({
    ...{ id, role: 'media', group, max, zone, server },
    // The default application answers, not the stand-in by itself.
    ...(!real && { set: { parkS: 60, rtp: 'echo' } }),
  });
  const router = (id: string, zone: string): NodeSpec => ({
    ...{ id, role: 'router', group: 'routers', zone, server },
    ...(!real && { set: { rtp: 'echo' } }),
  });
  return [
    router('fs-router-1', 'z1'),
    router('fs-router-2', 'z2'),
    media('fs-media-a1', 'media-a', 100, 'z1'),
    media('fs-media-a2', 'media-a', 100, 'z2'),
    media('fs-media-b1', 'media-b', 200, 'z1'),
    ...(real ? [] : [media('fs-media-b2', 'media-b', 200, 'z2'), media('fs-bot-b1', 'bots-b', 300, 'z1')]),
    { id: 'fs-tandem-1', role: 'tandem', group: 'carriers', zone: 'z1', server },
  ];
}

/** Two tenants: acme on the platform's nodes, globex on clusters of its own; agents of both come from this page. */
export function demoSpec(server: 'standin' | 'freeswitch', dir: string, page: string): MeshSpec {
  return {
    seed: [join(HERE, 'platform.yaml'), ...['acme', 'globex'].map((name) => tenantFile(name, dir, page))],
    replicas: { policy: 2, 'call-control': 1 },
    nodes: nodes(server),
    doors: [{ id: 'kama-wss-1' }],
  };
}

/** The tenant's document with the page among those its agents may come from: only now is its port known. */
function tenantFile(name: string, dir: string, page: string): string {
  const document = parse(readFileSync(join(HERE, `${name}.yaml`), 'utf8'));
  document.tenant.web_origins = [page];
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${name}.yaml`);
  writeFileSync(file, stringify(document));
  return file;
}

/** A number, and the group its calls belong on. */
export interface Wanted {
  readonly number: string;
  readonly group: string;
}

/** A PBX with an address of its own, and whom it calls how often. */
export interface Pbx {
  readonly tenant: string;
  readonly host: string;
  readonly calls: readonly (Wanted & { readonly count: number })[];
}

/** 20 calls of two PBXs; those to the robots only where they have a cluster. */
export function pbxs({ nodes }: MeshSpec): Pbx[] {
  const robots = nodes.some(({ group }) => group === 'bots-b');
  return [
    {
      tenant: 'acme',
      host: '127.0.2.1',
      calls: [
        { number: '+4930100100', group: 'media-a', count: 7 },
        { number: '+4930100300', group: 'media-a', count: 3 },
      ],
    },
    {
      tenant: 'globex',
      host: '127.0.2.2',
      calls: [
        { number: '+4940200200', group: 'media-b', count: robots ? 7 : 10 },
        ...(robots ? [{ number: '+4940200900', group: 'bots-b', count: 3 }] : []),
      ],
    },
  ];
}
