import { readFileSync } from 'node:fs';
import { type Batch, Ear, parseTarget, Uac } from '@callmesh/standin/uac';
import type { Mesh } from '../src/mesh.ts';
import type { Pbx, Wanted } from './scenario.ts';

const HOLD_MS = 1_500;

/** What became of one call, and what policy said of it. */
export interface DemoCall {
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly status: number;
  readonly node: string;
  readonly setupMs: number;
  readonly tenant: string;
  readonly function: string;
  readonly group: string;
  readonly why: string;
  /** Audio at the PBX, in packets of 20 ms. */
  readonly audio: Audio;
  /** Answered, ended by BYE, on a node of the group its tenant's function is linked to. */
  readonly ok: boolean;
}

interface Audio {
  readonly sent: number;
  readonly received: number;
  /** Of those received, with something to hear. */
  readonly loud: number;
}

/** Places the demo's calls through the door, some at once, and reads back why each went where it did. */
export async function callsInto(mesh: Mesh, pbxs: readonly Pbx[]): Promise<DemoCall[]> {
  const placed = (await Promise.all(pbxs.map((pbx) => callsOf(mesh, pbx)))).flat();
  const said = decisions(mesh);
  return Promise.all(placed.map((call) => verdict(mesh, call, said.get(call.call.callId))));
}

interface Placed extends Wanted {
  readonly pbx: Pbx;
  readonly call: Batch['calls'][number];
  readonly audio: Audio;
}

async function callsOf(mesh: Mesh, pbx: Pbx): Promise<Placed[]> {
  const proxy = parseTarget(`127.0.0.1:${mesh.edge.sipPort}`);
  const uac = await Uac.open({ host: pbx.host, user: `${pbx.tenant}-pbx` });
  const wanted = pbx.calls.flatMap(({ number, group, count }) =>
    Array<Wanted>(count).fill({ number, group }),
  );
  const ears = await Promise.all(wanted.map(() => Ear.open(pbx.host)));
  const byOffer = new Map(ears.map((ear) => [ear.offer, ear]));
  const batch = await uac.run({
    count: wanted.length,
    rate: 10,
    holdMs: HOLD_MS,
    call: (index) => ({
      proxy,
      to: `sip:${wanted[index]!.number}@callmesh.example`,
      sdp: ears[index]!.offer,
    }),
    onAnswer: (call, { response }) => byOffer.get(call.session.invite.body)?.answered(response.body),
  });
  for (const ear of ears) ear.close();
  uac.close();
  return batch.calls.map((call, index) => {
    const { sent, received, loud } = ears[index]!;
    return { ...wanted[index]!, pbx, call, audio: { sent, received, loud } };
  });
}

async function verdict(mesh: Mesh, placed: Placed, decision?: Decision): Promise<DemoCall> {
  const { call, pbx, number, group, audio } = placed;
  const outcome = await call.outcome;
  const end = await call.ended;
  const node = mesh.nodeAt(outcome.node);
  const onItsGroup = decision?.tenant === pbx.tenant && mesh.nodes.get(node)?.spec.group === group;
  return {
    from: `${pbx.tenant}-pbx`,
    to: number,
    callId: call.callId,
    status: outcome.status,
    node,
    setupMs: outcome.setupMs,
    tenant: decision?.tenant ?? '',
    function: decision?.function ?? '',
    group: decision?.group ?? '',
    why: decision?.reason ?? '',
    audio,
    ok: outcome.status === 200 && end.by === 'local' && end.status === 200 && onItsGroup,
  };
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
  const parsed = lines
    .filter((line) => /"msg":"(routed|refused)"/.test(line))
    .map((line) => JSON.parse(line));
  return new Map(parsed.map((line) => [line.call_id, line]));
}
