import { join } from 'node:path';
import { ROOT } from '../src/paths.ts';
import type { MeshSpec, NodeSpec } from '../src/spec.ts';

const HERE = join(ROOT, 'deploy/local/demo');

/** Nodes of the demo. The robots' cluster is left out where each node is a whole FreeSWITCH: two cores are few. */
function nodes(server: 'standin' | 'freeswitch'): NodeSpec[] {
  const real = server === 'freeswitch';
  const media = (id: string, group: string, max: number, zone: string): NodeSpec => ({
    ...{ id, role: 'media', group, max, zone, server },
    // The default application answers, not the stand-in by itself.
    ...(!real && { set: { parkS: 60 } }),
  });
  return [
    { id: 'fs-router-1', role: 'router', group: 'routers', zone: 'z1', server },
    { id: 'fs-router-2', role: 'router', group: 'routers', zone: 'z2', server },
    media('fs-media-a1', 'media-a', 100, 'z1'),
    media('fs-media-a2', 'media-a', 100, 'z2'),
    media('fs-media-b1', 'media-b', 200, 'z1'),
    ...(real ? [] : [media('fs-media-b2', 'media-b', 200, 'z2'), media('fs-bot-b1', 'bots-b', 300, 'z1')]),
    { id: 'fs-tandem-1', role: 'tandem', group: 'carriers', zone: 'z1', server },
  ];
}

/** Two tenants: acme on the platform's nodes, globex on clusters of its own. */
export function demoSpec(server: 'standin' | 'freeswitch'): MeshSpec {
  return {
    seed: ['platform', 'acme', 'globex'].map((name) => join(HERE, `${name}.yaml`)),
    replicas: { policy: 2, 'call-control': 1 },
    nodes: nodes(server),
  };
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
