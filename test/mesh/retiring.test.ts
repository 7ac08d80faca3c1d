import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '@callmesh/local';
import { PolicyServiceClient, RouteSessionRequest } from '@callmesh/proto/policy';
import { type DrainProgress, NodeStatus, StateServiceClient } from '@callmesh/proto/state';
import { call, serverStream } from '@callmesh/runtime';
import type { UacCall } from '@callmesh/standin/uac';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runHere } from '../cli/run.ts';
import { type Decision, mediaNodes, tenants, World } from './world.ts';

/** Calls a second while something retires. */
const RATE = 50;
/** A decision this long after a wish was made must know of it, milliseconds. */
const KNOWN_MS = 500;
const REPLICAS = ['policy-1', 'policy-2', 'policy-3'];
const [tenant] = tenants(1, ['red'], 7) as [ReturnType<typeof tenants>[0]];

let world: World;
beforeAll(async () => {
  const nodes = [...mediaNodes('red', 2, { onStop: 'drain' }), ...mediaNodes('blue', 2)];
  world = await World.start([tenant], { nodes, replicas: { policy: 3 } });
}, 90_000);
afterAll(() => world.stop());

/** The command line on this mesh; it must succeed. */
async function callmesh(...args: string[]): Promise<string> {
  const env = { CALLMESH_ETCD: world.mesh.etcd.url, CALLMESH_TOKEN: world.mesh.token };
  const { code, out, err } = await runHere(args, env);
  expect(`${code} ${err}`).toMatch(/^0 /);
  return out;
}

/** When the last call ended, by node. */
type Ends = Map<string, number>;

/** Calls at 50 a second that last as long as `holdMs` says, none of which may be lost; `meanwhile` begins after a second. */
async function under(
  seconds: number,
  holdMs: (index: number) => number,
  meanwhile: () => Promise<void>,
): Promise<Ends> {
  const pbx = await world.pbx(tenant);
  const ends: Ends = new Map();
  let answered = 0;
  const [batch] = await Promise.all([
    pbx.run({
      ...{ count: RATE * seconds, rate: RATE, holdMs: 0, call: () => world.to(tenant) },
      onAnswer: async (call, { node }) => {
        await delay(holdMs(answered++));
        expect(call.live && (await call.bye()).status).toBe(200);
        ends.set(world.mesh.nodeAt(node), performance.now());
      },
    }),
    delay(1_000).then(meanwhile),
  ]);
  expect(batch.failed).toEqual([]);
  return ends;
}

/** A call that lives on this node. */
async function callOn(...nodes: string[]): Promise<UacCall> {
  const pbx = await world.pbx(tenant);
  return eventually(async () => {
    const one = pbx.call(world.to(tenant));
    if (nodes.includes(world.mesh.nodeAt((await one.outcome).node))) return one;
    return void (await one.bye());
  }, `a call lives on ${nodes}`);
}

/** Groups of the nodes that were chosen from then on, and which replicas did choose. */
function chosenSince(at: number): { groups: string[]; nodes: string[]; replicas: string[] } {
  const since = world.decisions().filter(({ time }) => Date.parse(time) >= at);
  const sorted = (of: (one: Decision) => string) => [...new Set(since.map(of))].sort();
  return {
    groups: sorted(({ node }) => world.mesh.node(node).spec.group),
    nodes: sorted(({ node }) => node),
    replicas: sorted(({ instance }) => instance),
  };
}

/** What is left of the calls that are to live on while something changes around them. */
async function stayed(calls: readonly UacCall[], nodes: readonly string[]): Promise<void> {
  for (const call of calls) {
    expect(call.live).toBe(true);
    expect(nodes).toContain(world.mesh.nodeAt((await call.outcome).node));
    expect((await call.reinvite()).status).toBe(200);
    expect((await call.bye()).status).toBe(200);
  }
}

describe('a node that is drained', () => {
  /** Drains fs-red-1; what is told of it, and when that ended. */
  function drain() {
    const state = world.mesh.client(StateServiceClient, 'state-1');
    const steps: DrainProgress[] = [];
    const read = async () => {
      const request = { nodeId: 'fs-red-1', actor: 'test', deadlineS: 0 } as const;
      const stream = serverStream(state, 'drainNode', { ...request, atDeadline: 'AT_DEADLINE_KEEP_WAITING' });
      for await (const step of stream) steps.push(step);
      return performance.now();
    };
    return { steps, ended: read() };
  }
  afterEach(async () => {
    await callmesh('node', 'undrain', 'fs-red-1');
    await world.mesh.until('fs-red-1', NodeStatus.NODE_STATUS_UP);
  });

  it('loses no call, gets no new one, and is through within a second after its last', async () => {
    let began = 0;
    let drained: ReturnType<typeof drain> | undefined;
    const ends = await under(
      3,
      (index) => 300 + ((index * 97) % 3_500),
      async () => {
        began = Date.now();
        drained = drain();
      },
    );
    const { steps, ended } = drained!;
    expect((await ended) - ends.get('fs-red-1')!).toBeLessThan(1_000);
    expect(steps.at(-1)).toMatchObject({ sessions: 0, end: 'DRAIN_END_DRAINED' });
    expect(steps.at(-1)!.most).toBeGreaterThan(5);
    expect(chosenSince(began + KNOWN_MS)).toMatchObject({ nodes: ['fs-red-2'], replicas: REPLICAS });
  });

  it('takes calls again when that is cancelled half-way', async () => {
    const live = await callOn('fs-red-1');
    const { steps, ended } = drain();
    await world.mesh.until('fs-red-1', NodeStatus.NODE_STATUS_DRAINING);
    await callmesh('node', 'undrain', 'fs-red-1');
    await ended;
    expect(steps.at(-1)).toMatchObject({ sessions: 1, end: 'DRAIN_END_CANCELLED' });
    await (await callOn('fs-red-1')).bye();
    await stayed([live], ['fs-red-1']);
  });
});

describe('a node whose agent is asked to stop', () => {
  it('takes no new call, and leaves the mesh within a second after its last one', async () => {
    const { agent } = world.mesh.node('fs-red-1');
    const live = await callOn('fs-red-1');
    agent.signal('SIGTERM');
    const row = await world.mesh.until('fs-red-1', NodeStatus.NODE_STATUS_DRAINING);
    expect(row.reason).toBe('no new sessions: its agent is asked to stop, 1 sessions left');
    await under(
      1,
      () => 100,
      async () => {},
    );
    expect(agent.running).toBe(true);
    expect(chosenSince(Date.now() - 1_000).nodes).toEqual(['fs-red-2']);
    await stayed([live], ['fs-red-1']);
    const ended = performance.now();
    await world.mesh.until('fs-red-1', NodeStatus.NODE_STATUS_DOWN);
    expect(performance.now() - ended).toBeLessThan(1_000);
    await eventually(() => !agent.running, 'its agent has ended');
    await agent.start();
    await world.mesh.until('fs-red-1', NodeStatus.NODE_STATUS_UP);
  });
});

describe('a function that is switched to another group', () => {
  const RED = ['fs-red-1', 'fs-red-2'];

  it('has its new sessions there at once, whichever policy is asked, and its live ones where they were; and back', async () => {
    const live = await Promise.all(Array.from({ length: 10 }, () => callOn(...RED)));
    const since: number[] = [];
    await under(
      5,
      () => 200,
      async () => {
        expect(await callmesh('app', 'switch', tenant.id, 'general', 'blue')).toBe(
          't01 general: red -> blue\n',
        );
        since.push(Date.now());
        await delay(2_000);
        const there = chosenSince(since[0]! + KNOWN_MS);
        expect(there).toMatchObject({ groups: ['blue'], replicas: REPLICAS });
        await callmesh('app', 'switch', tenant.id, 'general', 'red');
        since.push(Date.now());
      },
    );
    expect(chosenSince(since[1]! + KNOWN_MS)).toMatchObject({ groups: ['red'], replicas: REPLICAS });
    await stayed(live, RED);
  });

  it('is tried out by a share of its sessions, the same ones whichever policy is asked', async () => {
    const said = await callmesh('app', 'switch', tenant.id, 'general', 'blue', '--percent', '25');
    expect(said).toBe('t01 general: 0 % -> 25 % on blue\n');
    const callIds = Array.from({ length: 100 }, (_, n) => `tried-${n}@test`);
    const groups = (replica: string) => Promise.all(callIds.map((callId) => groupFor(replica, callId)));
    const [first, ...others] = await eventually(async () => {
      const all = await Promise.all(REPLICAS.map(groups));
      return all.every((one) => one.includes('blue')) && all;
    }, 'all replicas know');
    expect(others).toEqual([first, first]);
    const tried = first!.filter((group) => group === 'blue').length;
    expect(tried).toBeGreaterThan(15);
    expect(tried).toBeLessThan(35);
    const live = await callOn('fs-blue-1', 'fs-blue-2');
    expect(await callmesh('app', 'switch', tenant.id, 'general', 'blue', '--percent', '0')).toContain(
      '25 % -> 0 %',
    );
    await eventually(async () => !(await groups('policy-1')).includes('blue'), 'nobody is tried out');
    await stayed([live], ['fs-blue-1', 'fs-blue-2']);
  });
});

/** Where this policy would send such a call. */
async function groupFor(replica: string, callId: string): Promise<string> {
  const policy = world.mesh.client(PolicyServiceClient, replica);
  const uri = `sip:${tenant.number}@${tenant.id}.example`;
  const request = { edgeId: 'kama-pstn-1', callId, fromUri: 'sip:pbx@test', toUri: uri, requestUri: uri };
  const from = { sourceAddress: tenant.host, sourcePort: 5060, transport: 'udp', method: 'INVITE' };
  const { decision } = await call(policy, 'explain', {
    request: RouteSessionRequest.fromPartial({ ...request, ...from }),
  });
  return decision!.groupId;
}
