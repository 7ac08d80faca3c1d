import { NodeRole } from '@callmesh/proto/node';
import {
  type NodeState,
  NodeStatus,
  StateServiceClient,
  type StateServiceServer,
  StateServiceService,
} from '@callmesh/proto/state';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { commonConfig, parseConfig } from '../config.ts';
import { fail } from '../errors.ts';
import { App } from '../service.ts';
import { call, grpcClient, serverStream } from './client.ts';
import { streamHandler, unaryHandler } from './handlers.ts';
import { grpcServer } from './server.ts';

const config = parseConfig(
  z.strictObject(commonConfig),
  'instance: t-1\nlog: { level: error }\nauth: { token: 0123456789abcdef }\nstate_dir: /tmp/callmesh-test\n',
);
const row: NodeState = {
  node: undefined,
  status: NodeStatus.NODE_STATUS_UP,
  reason: 'registered and reporting',
  since: undefined,
  load: undefined,
  loadAt: undefined,
  desired: 'DESIRED_STATE_ACTIVE',
  evidence: [],
};
let cancelled: () => void;
const streamCancelled = new Promise<void>((resolve) => {
  cancelled = resolve;
});

const implementation: StateServiceServer = {
  getNode: unaryHandler((request) => {
    if (request.nodeId === 'slow') return new Promise(() => {});
    if (request.nodeId === 'bug') throw new Error('secret detail');
    if (request.nodeId !== 'fs-1') throw fail('not_found', `no node ${request.nodeId}`, { field: 'node_id' });
    return row;
  }),
  listNodes: unaryHandler(() => ({ nodes: [row], silentSources: [] })),
  watchNodes: streamHandler(async (request, context, write) => {
    for (let sent = 0; sent < 3; sent++) await write({ event: { $case: 'put', value: row } });
    if (request.role === NodeRole.NODE_ROLE_TANDEM) throw fail('unavailable', 'gone');
    if (request.role === NodeRole.NODE_ROLE_MEDIA) {
      await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()));
      cancelled();
    }
  }),
  setDesiredState: unaryHandler(() => ({ previous: 'DESIRED_STATE_ACTIVE' })),
  drainNode: streamHandler(() => Promise.resolve()),
  listDecisions: unaryHandler(() => ({ decisions: [], moves: [] })),
};

describe('a gRPC service of the mesh', () => {
  const app = new App('test', config);
  const server = app.add(grpcServer(app, config.grpc, [[StateServiceService, implementation]]));
  let client: StateServiceClient;
  beforeAll(async () => {
    await app.lifecycle.start();
    client = grpcClient(app, StateServiceClient, server.address);
  });
  afterAll(async () => {
    client.close();
    await app.lifecycle.shutdown();
  });

  it('answers', async () => {
    await expect(call(client, 'getNode', { nodeId: 'fs-1' })).resolves.toMatchObject({ reason: row.reason });
  });

  it('gives errors with code and field', async () => {
    await expect(call(client, 'getNode', { nodeId: 'x' })).rejects.toMatchObject({
      code: 'not_found',
      field: 'node_id',
    });
  });

  it('keeps the detail of its own faults to its log', async () => {
    await expect(call(client, 'getNode', { nodeId: 'bug' })).rejects.toMatchObject({
      code: 'internal',
      message: 'internal error',
    });
  });

  it('gives up at the deadline', async () => {
    await expect(call(client, 'getNode', { nodeId: 'slow' }, { deadlineMs: 50 })).rejects.toMatchObject({
      code: 'deadline',
    });
  });

  it('refuses a caller without the token', async () => {
    const stranger = new StateServiceClient(server.address, credentials.createInsecure());
    await expect(call(stranger, 'getNode', { nodeId: 'fs-1' })).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    stranger.close();
  });

  it('lets probes ask for health without the token', async () => {
    const probe = new Client(server.address, credentials.createInsecure());
    const answer = await new Promise<Buffer>((resolve, reject) =>
      probe.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        (value: Buffer) => value,
        (value: Buffer) => value,
        Buffer.alloc(0),
        new Metadata(),
        (error, value) => (error ? reject(error) : resolve(value!)),
      ),
    );
    expect([...answer]).toEqual([8, 1]);
    probe.close();
  });

  it('streams to the end', async () => {
    const seen = await Array.fromAsync(
      serverStream(client, 'watchNodes', { role: 'NODE_ROLE_ROUTER', group: '' }),
    );
    expect(seen).toHaveLength(3);
  });

  it('ends a failed stream with its error', async () => {
    const all = Array.fromAsync(serverStream(client, 'watchNodes', { role: 'NODE_ROLE_TANDEM', group: '' }));
    await expect(all).rejects.toMatchObject({ code: 'unavailable', message: 'gone' });
  });

  it('tells the handler when the caller leaves a stream', async () => {
    for await (const _ of serverStream(client, 'watchNodes', { role: 'NODE_ROLE_MEDIA', group: '' })) break;
    await streamCancelled;
  });
});
