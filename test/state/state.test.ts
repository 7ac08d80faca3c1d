import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { etcdServer, eventually, natsServer, type Process, type Server } from '@callmesh/local';
import { BackendState, DesiredState, type NodeLifecycle, NodeRole } from '@callmesh/proto/node';
import {
  type DrainNodeRequest,
  type DrainProgress,
  type NodeState,
  NodeStatus,
  StateServiceClient,
  type WatchNodesEvent,
} from '@callmesh/proto/state';
import { call, Etcd, grpcClient, Nats, serverStream, subscribeNode } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { serviceProcess } from '../../deploy/local/src/service.ts';
import { TOKEN, testApp } from '../support/app.ts';
import { Wire } from '../support/wire.ts';
import { FakeNode } from './fake-node.ts';

const GRACE_MS = 3_000;
const { NODE_STATUS_UP: up, NODE_STATUS_SUSPECT: suspect, NODE_STATUS_DOWN: down } = NodeStatus;
const { NODE_STATUS_DRAINING: draining, NODE_STATUS_DRAINED: drained } = NodeStatus;
const any = { role: NodeRole.NODE_ROLE_UNSPECIFIED, group: '' };

const dir = mkdtempSync(join(tmpdir(), 'callmesh-state-'));
const app = testApp('operator');
let etcd: Server;
let nats: Server;
let replicas: Process[];
let clients: StateServiceClient[];
let nodes: FakeNode[];
let a: FakeNode;
let b: FakeNode;

const urls = () => ({ etcd: etcd.url, nats: nats.url });
const rows = async (replica: number) => (await call(clients[replica]!, 'listNodes', any)).nodes;
const row = (id: string, replica = 0) => call(clients[replica]!, 'getNode', { nodeId: id });
const told = (id: string, status: NodeStatus, ms = 15_000) =>
  eventually(
    async () => {
      const seen = await Promise.all(clients.map((_, n) => row(id, n).catch(() => undefined)));
      return seen.every((state) => state?.status === status) && seen[0];
    },
    `${id} is ${status} to all replicas`,
    ms,
  );
const allUp = async () => {
  for (const { id } of nodes) await told(id, up);
};

async function startReplica(n: number): Promise<void> {
  const around = { dir, ...urls(), token: TOKEN };
  replicas[n] ??= serviceProcess(around, 'state', `state-${n + 1}`, {
    detection: { silence_ms: 2_000, grace_ms: GRACE_MS },
  });
  await replicas[n].start();
  clients[n]?.close();
  clients[n] = grpcClient(app, StateServiceClient, replicas[n].ready.grpc!);
}

const want = (desired: DesiredState, replica = 0) =>
  call(clients[replica]!, 'setDesiredState', { nodeId: a.id, desired, actor: 'test' });

/** Drains `a`: what is told of it, and a promise of the end. */
function drain({ replica = 0, request = {} as Partial<DrainNodeRequest> } = {}) {
  const steps: DrainProgress[] = [];
  const all = { nodeId: a.id, actor: 'test', deadlineS: 0, ...request };
  const read = async () => {
    const stream = serverStream(clients[replica]!, 'drainNode', {
      atDeadline: 'AT_DEADLINE_KEEP_WAITING',
      ...all,
    });
    for await (const step of stream) steps.push(step);
  };
  return Object.assign(steps, { ended: read() });
}

/** Follows one replica and remembers every status it told of each node. */
function follow(replica = 0) {
  const statuses = new Map<string, NodeStatus[]>();
  const events: WatchNodesEvent['event'][] = [];
  const stop = new AbortController();
  const read = async () => {
    const stream = serverStream(clients[replica]!, 'watchNodes', any, { signal: stop.signal });
    for await (const { event } of stream) {
      events.push(event);
      if (event?.$case !== 'put') continue;
      const id = event.value.node!.id;
      const list = statuses.get(id) ?? [];
      if (list.at(-1) !== event.value.status) list.push(event.value.status);
      statuses.set(id, list);
    }
  };
  // A frozen replica is cut off and asked again, as policy does.
  const done = (async () => {
    while (!stop.signal.aborted) await read().catch(() => pause(100));
  })();
  return {
    statuses,
    events,
    close: async () => {
      stop.abort();
      await done;
    },
  };
}

beforeAll(async () => {
  [etcd, nats] = [await etcdServer(dir), await natsServer(dir)];
  await Promise.all([etcd.process.start(), nats.process.start()]);
  [replicas, clients] = [[], []];
  await Promise.all([startReplica(0), startReplica(1)]);
});
afterAll(async () => {
  for (const client of clients) client.close();
  await Promise.all(replicas.map((replica) => replica.stop()));
  await Promise.all([etcd.process.stop(), nats.process.stop()]);
  rmSync(dir, { recursive: true });
});

let run = 0;
beforeEach(async () => {
  run += 1;
  nodes = ['a', 'b', 'c'].map((name) => new FakeNode(`${name}-${run}`, urls()));
  [a, b] = [nodes[0]!, nodes[1]!];
  await Promise.all(nodes.map((node) => node.start()));
  await allUp();
}, 60_000);
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.bye()));
  for (const { id } of nodes) await told(id, down);
  await Promise.all(nodes.map((node) => node.stop()));
}, 60_000);

describe('the live node table', () => {
  it('tells of a server that its own agent reports gone, at once and on NATS too', async () => {
    const bus = new Nats(app, { servers: [nats.url], replicas: 1 });
    await bus.start();
    const heard: NodeLifecycle[] = [];
    subscribeNode(bus, (event) => heard.push(event));
    await bus.connection.flush();
    a.backend = BackendState.BACKEND_STATE_DOWN;
    a.report();
    const started = Date.now();
    const seen = await told(a.id, down, 2_000);
    expect(Date.now() - started).toBeLessThan(1_000);
    expect(seen).toMatchObject({
      reason: expect.stringContaining('esl closed'),
      evidence: [{ strong: true }],
    });
    await eventually(
      () => heard.some(({ nodeId, event }) => nodeId === a.id && event === 'down'),
      'event on NATS',
    );
    await bus.stop();

    a.rise(2);
    expect((await told(a.id, up)).node!.epoch).toBe(`${a.id}-life-2`);
  });

  it('suspects a node whose reports stop, and calls one dead that lost its lease too', async () => {
    a.mute();
    const seen = await told(a.id, suspect);
    expect(seen.evidence.map(({ kind }) => kind)).toEqual(['load-silent']);
    a.speak();
    await told(a.id, up);
    await a.die();
    await told(a.id, down);
    a.rise(2);
    await told(a.id, up);
  });

  it('calls a host dead within five seconds after the network lost it, and leaves it dead until it is whole', async () => {
    const port = (url: string) => Number(new URL(url).port);
    const wires = await Promise.all([new Wire(port(etcd.url)).start(), new Wire(port(nats.url)).start()]);
    const [toEtcd, toNats] = wires.map((wire) => `127.0.0.1:${wire.port}`);
    const far = new FakeNode(`far-${run}`, { etcd: `http://${toEtcd}`, nats: `nats://${toNats}` });
    await far.start();
    await told(far.id, up);
    for (const wire of wires) wire.cut();
    const started = Date.now();
    const seen = await told(far.id, down);
    expect(Date.now() - started).toBeLessThan(5_000);
    expect(seen.evidence.map(({ kind }) => kind).sort()).toEqual(['lease-expired', 'load-silent']);
    for (const wire of wires) wire.heal();
    await told(far.id, up);
    await far.bye();
    await told(far.id, down);
    await far.stop();
    await Promise.all(wires.map((wire) => wire.stop()));
  }, 40_000);

  it('only suspects a node that is cut off from the mesh while it answers SIP', async () => {
    const sip = await a.answersSip();
    for (const n of clients.keys())
      await eventually(
        async () => (await row(a.id, n)).node!.sipUri === a.record.sipUri,
        'its address is known',
      );
    const seen = follow();
    // One that gets no answer any more is dead; this one is just missed by etcd and NATS.
    await a.die();
    const missed = await eventually(async () => {
      const state = await row(a.id);
      return state.evidence.length === 2 && state;
    }, 'both stores miss it');
    expect(missed.status).toBe(suspect);
    expect(missed.reason).toContain('cut off from the mesh, but it answers SIP');
    await pause(3_000);
    await told(a.id, suspect);
    sip.close();
    await told(a.id, down);
    await seen.close();
    expect(seen.statuses.get(a.id)).toEqual([up, suspect, down]);
  });

  it('drains by wish, kept in etcd, seen by all replicas, and over a restart of the node', async () => {
    a.sessions = 2;
    a.report();
    const set = (desired: DesiredState) =>
      call(clients[0]!, 'setDesiredState', { nodeId: a.id, desired, actor: 'test' });
    expect(await set(DesiredState.DESIRED_STATE_DRAINING)).toEqual({ previous: 'DESIRED_STATE_ACTIVE' });
    await told(a.id, draining);
    a.rise(2);
    a.sessions = 0;
    expect((await told(a.id, drained)).node!.epoch).toBe(`${a.id}-life-2`);
    expect(await set(DesiredState.DESIRED_STATE_ACTIVE)).toEqual({ previous: 'DESIRED_STATE_DRAINING' });
    await told(a.id, up);
  });

  it('tells how a drain goes on until nothing is left, the last word within a second after the last session', async () => {
    a.sessions = 3;
    a.report();
    await eventually(async () => (await row(a.id, 1)).load?.sessions === 3, 'its sessions are known');
    const steps = drain({ replica: 1 });
    await told(a.id, draining);
    for (a.sessions = 2; a.sessions > 0; a.sessions -= 1) {
      a.report();
      await eventually(() => steps.at(-1)?.sessions === a.sessions, `${a.sessions} are left`);
      await pause(1_000);
    }
    expect(steps.at(-1)).toMatchObject({ most: 3, status: draining, end: 'DRAIN_END_UNSPECIFIED' });
    const ended = performance.now();
    a.report();
    await steps.ended;
    expect(performance.now() - ended).toBeLessThan(1_000);
    expect(steps.at(-1)).toMatchObject({ sessions: 0, most: 3, status: drained, end: 'DRAIN_END_DRAINED' });
    await want(DesiredState.DESIRED_STATE_ACTIVE);
    await told(a.id, up);
  });

  it('ends a drain when anybody takes the node back, which is up again at once, or when it dies', async () => {
    a.sessions = 1;
    a.report();
    const steps = drain();
    await told(a.id, draining);
    await want(DesiredState.DESIRED_STATE_ACTIVE, 1);
    await steps.ended;
    expect(steps.at(-1)).toMatchObject({ sessions: 1, end: 'DRAIN_END_CANCELLED' });
    await told(a.id, up);
    const again = drain();
    await told(a.id, draining);
    await a.bye();
    await again.ended;
    expect(again.at(-1)).toMatchObject({ status: down, end: 'DRAIN_END_GONE' });
    await want(DesiredState.DESIRED_STATE_ACTIVE);
  });

  it('says that a drain is overdue and goes on; to move the rest it refuses before it changes anything', async () => {
    a.sessions = 1;
    a.report();
    const move = { deadlineS: 1, atDeadline: 'AT_DEADLINE_MOVE_REST' } as const;
    await expect(drain({ request: move }).ended).rejects.toMatchObject({
      code: 'precondition_failed',
      field: 'at_deadline',
    });
    expect(await row(a.id)).toMatchObject({ status: up, desired: 'DESIRED_STATE_ACTIVE' });
    const bad = [{ nodeId: 'nobody' }, { deadlineS: 700_000 }, { ...move, deadlineS: 0 }];
    for (const [n, code] of ['not_found', 'invalid_argument', 'invalid_argument'].entries())
      await expect(drain({ request: bad[n]! }).ended).rejects.toMatchObject({ code });
    const steps = drain({ request: { deadlineS: 1 } });
    await eventually(() => steps.at(-1)?.overdue, 'it is overdue');
    expect(steps[0]).toMatchObject({ overdue: false });
    expect(steps.at(-1)).toMatchObject({ sessions: 1, status: draining, end: 'DRAIN_END_UNSPECIFIED' });
    await want(DesiredState.DESIRED_STATE_ACTIVE);
    await steps.ended;
  });

  it('refuses what it does not understand', async () => {
    await expect(row('nobody')).rejects.toMatchObject({ code: 'not_found' });
    const wish = { nodeId: 'A b', desired: DesiredState.DESIRED_STATE_ACTIVE, actor: '' };
    await expect(call(clients[0]!, 'setDesiredState', wish)).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'node_id',
    });
    const vague = { nodeId: a.id, desired: DesiredState.DESIRED_STATE_UNSPECIFIED, actor: '' };
    await expect(call(clients[0]!, 'setDesiredState', vague)).rejects.toMatchObject({ field: 'desired' });
  });

  it('is not disturbed by keys that are no nodes', async () => {
    const writer = new Etcd(app, { endpoints: [etcd.url] });
    await writer.put(`/callmesh/nodes/media/${b.id}x`, 'not JSON');
    await writer.put(`/callmesh/nodes/media/${b.id}y`, '{"id":"somebody-else"}');
    await writer.put(`/callmesh/admin/${b.id}`, 'nonsense');
    a.sessions = 7;
    a.report();
    await eventually(async () => (await row(a.id)).load?.sessions === 7, 'the next report is seen');
    expect((await row(b.id)).status).toBe(up);
    await writer.stop();
  });

  it('sends a watcher all rows, a marker, then changes', async () => {
    const watch = follow();
    await eventually(() => watch.events.some((event) => event?.$case === 'snapshotDone'), 'marker');
    const marker = watch.events.findIndex((event) => event?.$case === 'snapshotDone');
    const ids = watch.events
      .slice(0, marker)
      .map((event) => (event?.$case === 'put' ? event.value.node!.id : ''));
    expect(ids).toEqual([...ids].sort());
    expect(ids).toEqual(expect.arrayContaining(nodes.map(({ id }) => id)));
    a.sessions = 42;
    a.report();
    const isTold = (event: WatchNodesEvent['event']) =>
      event?.$case === 'put' && event.value.load?.sessions === 42;
    await eventually(() => watch.events.some(isTold), 'load change');
    await watch.close();
  });
});

/** Each ends with stores that are well. */
const accidents: [string, () => Promise<void>][] = [
  ['etcd killed for longer than leases live', () => away(etcd, 5_000)],
  ['NATS killed for longer than silence lasts', () => away(nats, 5_000)],
  ['both killed', async () => void (await Promise.all([away(etcd, 5_000), away(nats, 5_000)]))],
  ['etcd wiped', () => away(etcd, 0, { wipe: true })],
  ['NATS wiped', () => away(nats, 0, { wipe: true })],
  ['etcd frozen', () => frozen(etcd, 6_000)],
  ['NATS frozen', () => frozen(nats, 6_000)],
  ['a replica of the table frozen', () => frozen({ process: replicas[0]! }, 6_000)],
];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function away(server: Server, ms: number, { wipe = false } = {}): Promise<void> {
  await server.process.kill();
  if (wipe) rmSync(server.data, { recursive: true, force: true });
  await pause(ms);
  await server.process.start();
}

async function frozen(server: Pick<Server, 'process'>, ms: number): Promise<void> {
  server.process.freeze();
  await pause(ms);
  server.process.thaw();
}

describe('accidents of the stores', () => {
  it.each(accidents)(
    '%s: nobody is evicted, no drain is undone, the dead stay dead',
    async (_, accident) => {
      const dead = nodes[2]!;
      await dead.die();
      await told(dead.id, down);
      const wish = { nodeId: b.id, desired: DesiredState.DESIRED_STATE_DRAINING, actor: 'test' };
      b.sessions = 3;
      await call(clients[0]!, 'setDesiredState', wish);
      await told(b.id, draining);
      const watches = [follow(0), follow(1)];
      await accident();
      // Until after the grace: what was only patience would end by then.
      await pause(GRACE_MS + 3_000);
      for (const watch of watches) {
        expect(watch.statuses.get(a.id)).toEqual([up]);
        expect(watch.statuses.get(b.id)).toEqual([draining]);
        expect(watch.statuses.get(dead.id)).toEqual([down]);
        await watch.close();
      }
      a.backend = BackendState.BACKEND_STATE_DOWN;
      await told(a.id, down);
    },
    60_000,
  );

  it('starts and answers from disk while etcd and NATS are away, and says so', async () => {
    const dead = nodes[2]!;
    await dead.die();
    await told(dead.id, down);
    // The table is written every two seconds.
    await pause(2_500);
    const before = new Map((await rows(0)).map((state) => [state.node!.id, state.status]));
    await Promise.all([etcd.process.kill(), nats.process.kill(), replicas[0]!.kill()]);
    await startReplica(0);
    const answer = await call(clients[0]!, 'listNodes', any);
    expect(answer.silentSources.sort()).toEqual(['etcd', 'nats']);
    const now = new Map(answer.nodes.map((state: NodeState) => [state.node!.id, state.status]));
    for (const { id } of nodes) expect([id, now.get(id)]).toEqual([id, before.get(id)]);
    const wish = { nodeId: a.id, desired: DesiredState.DESIRED_STATE_DRAINING, actor: 'test' };
    await expect(call(clients[0]!, 'setDesiredState', wish, { deadlineMs: 5_000 })).rejects.toMatchObject({
      code: 'unavailable',
    });
    await Promise.all([etcd.process.start(), nats.process.start()]);
    const watch = follow(0);
    await pause(GRACE_MS + 3_000);
    expect(watch.statuses.get(a.id)).toEqual([up]);
    expect(watch.statuses.get(dead.id)).toEqual([down]);
    await watch.close();
  }, 60_000);

  it('a replica that starts with nothing calls nobody suspect that reports', async () => {
    await replicas[0]!.stop();
    rmSync(join(dir, 'state-1', 'nodes.json'));
    await startReplica(0);
    const watch = follow(0);
    await eventually(() => watch.statuses.size >= 3, 'rows');
    await pause(1_500);
    for (const { id } of nodes) expect(watch.statuses.get(id)).toEqual([up]);
    await watch.close();
  }, 30_000);
});
