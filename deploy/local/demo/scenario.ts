import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseTarget, Uac } from '@callmesh/standin/uac';
import type { Mesh } from '../src/mesh.ts';
import { ROOT } from '../src/paths.ts';
import type { MeshSpec } from '../src/spec.ts';

const HERE = join(ROOT, 'deploy/local/demo');

/** Two tenants: acme on the platform's nodes, globex on two clusters of its own. */
export const demoSpec: MeshSpec = {
  seed: ['platform', 'acme', 'globex'].map((name) => join(HERE, `${name}.yaml`)),
  replicas: { policy: 2 },
  nodes: [
    { id: 'fs-media-a1', role: 'media', group: 'media-a', max: 100, zone: 'z1' },
    { id: 'fs-media-a2', role: 'media', group: 'media-a', max: 100, zone: 'z2' },
    { id: 'fs-media-b1', role: 'media', group: 'media-b', max: 200, zone: 'z1' },
    { id: 'fs-media-b2', role: 'media', group: 'media-b', max: 200, zone: 'z2' },
    { id: 'fs-bot-b1', role: 'media', group: 'bots-b', max: 300, zone: 'z1' },
  ],
};

/** A number, and the group its calls belong on. */
interface Wanted {
  readonly number: string;
  readonly group: string;
}

/** A PBX with an address of its own, and whom it calls how often. */
interface Pbx {
  readonly tenant: string;
  readonly host: string;
  readonly calls: readonly (Wanted & { readonly count: number })[];
}

const PBXS: readonly Pbx[] = [
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
      { number: '+4940200200', group: 'media-b', count: 7 },
      { number: '+4940200900', group: 'bots-b', count: 3 },
    ],
  },
];

/** What became of one call, and what policy said of it. */
export interface DemoCall {
  readonly from: string;
  readonly to: string;
  readonly status: number;
  readonly node: string;
  readonly setupMs: number;
  readonly tenant: string;
  readonly function: string;
  readonly group: string;
  readonly why: string;
  /** Answered, ended by BYE, on a node of the group its tenant's function is linked to. */
  readonly ok: boolean;
}

/** Places the demo's calls through the door, some at once, and reads back why each went where it did. */
export async function callsInto(mesh: Mesh): Promise<DemoCall[]> {
  const proxy = parseTarget(`127.0.0.1:${mesh.edge.sipPort}`);
  const placed = await Promise.all(
    PBXS.map(async (pbx) => {
      const uac = await Uac.open({ host: pbx.host, user: `${pbx.tenant}-pbx` });
      const wanted = pbx.calls.flatMap(({ number, group, count }) =>
        Array<Wanted>(count).fill({ number, group }),
      );
      const batch = await uac.run({
        count: wanted.length,
        rate: 10,
        holdMs: 1_500,
        call: (index) => ({ proxy, to: `sip:${wanted[index]!.number}@callmesh.example` }),
      });
      uac.close();
      return batch.calls.map((call, index) => ({ call, pbx, ...wanted[index]! }));
    }),
  );
  const said = decisions(mesh);
  return Promise.all(
    placed.flat().map(async ({ call, pbx, number, group }) => {
      const outcome = await call.outcome;
      const end = await call.ended;
      const decision = said.get(call.callId);
      const node = mesh.nodeAt(outcome.node);
      const onItsGroup = decision?.tenant === pbx.tenant && mesh.nodes.get(node)?.spec.group === group;
      return {
        from: `${pbx.tenant}-pbx`,
        to: number,
        status: outcome.status,
        node,
        setupMs: outcome.setupMs,
        tenant: decision?.tenant ?? '',
        function: decision?.function ?? '',
        group: decision?.group ?? '',
        why: decision?.reason ?? '',
        ok: outcome.status === 200 && end.by === 'local' && end.status === 200 && onItsGroup,
      };
    }),
  );
}

interface Decision {
  readonly tenant: string;
  readonly function: string;
  readonly group: string;
  readonly reason: string;
}

/** Decisions by Call-ID, from the line each policy instance logs of every one. */
function decisions(mesh: Mesh): Map<string, Decision> {
  const policies = [...mesh.services.values()].filter(({ name }) => name.startsWith('policy-'));
  const lines = policies.flatMap(({ spec }) => readFileSync(spec.log, 'utf8').split('\n'));
  const parsed = lines.filter((line) => line.includes('"call_id"')).map((line) => JSON.parse(line));
  return new Map(parsed.map((line) => [line.call_id, line]));
}
