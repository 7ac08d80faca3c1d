import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExplainNumberRequest, ResolveDestinationRequest, RouteSessionRequest } from '@callmesh/proto/policy';
import { NodeStatus } from '@callmesh/proto/state';
import { call } from '@callmesh/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeServices } from './support/fakes.ts';
import { PolicyProcess, until } from './support/process.ts';

/** One story in order: a policy process, its services going and coming back, and its own restart. */
describe('a policy process', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'callmesh-policy-'));
  const services = new FakeServices();
  let policy: PolicyProcess;

  beforeAll(async () => {
    await services.start();
    policy = new PolicyProcess(folder, `127.0.0.1:${services.port}`);
    await policy.ready();
  });
  afterAll(async () => {
    await policy.stop('SIGKILL');
    services.stop();
    rmSync(folder, { recursive: true });
  });

  it('routes a call once it is ready, and session-cache holds the binding', async () => {
    const { status, body } = await policy.route('first');
    expect([status, body.tenant, body.group, body.durable]).toEqual([200, 'acme', 'media-a', true]);
    expect(services.bindings.get(String(body.session_id))).toMatchObject({
      callId: 'first',
      nodeId: body.node,
    });
  });

  it('logs one line per decision, without numbers or addresses of people', async () => {
    await until(() => policy.log.some(({ call_id }) => call_id === 'first'));
    const lines = policy.log.filter(({ call_id }) => call_id === 'first');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      msg: 'routed',
      tenant: 'acme',
      trunk: 'acme-pbx',
      reason: expect.any(String),
    });
    expect(JSON.stringify(lines)).not.toContain('4930999');
  });

  it('follows what another instance bound first', async () => {
    const { body } = await policy.route('theirs');
    const held = services.bindings.get(String(body.session_id))!;
    services.bindings.set('x', {
      ...held,
      sessionId: 'aaaaaaaaaaaaaaaa',
      callId: 'elsewhere',
      nodeId: 'fs-2',
      nodeEpoch: 'epoch-fs-2',
    });
    expect((await policy.route('elsewhere')).body).toMatchObject({
      session_id: 'aaaaaaaaaaaaaaaa',
      node: 'fs-2',
      rebound: true,
    });
  });

  it('gives a node that goes down nothing, and moves its re-sent INVITEs', async () => {
    const { body } = await policy.route('on-a-dying-node');
    services.setNode(String(body.node), NodeStatus.NODE_STATUS_DOWN);
    await until(async () => (await policy.route('on-a-dying-node')).body.node !== body.node);
    const moved = (await policy.route('on-a-dying-node')).body;
    expect([...services.bindings.values()].find(({ callId }) => callId === 'on-a-dying-node')?.nodeId).toBe(
      moved.node,
    );
    services.setNode(String(body.node), NodeStatus.NODE_STATUS_UP);
  });

  it('explains a decision over gRPC', async () => {
    const request = RouteSessionRequest.fromPartial({
      edgeId: 'kama-pstn-1',
      callId: 'why',
      requestUri: 'sip:+4930999@10.0.9.1',
      sourceAddress: '192.0.2.10',
      sourcePort: 5060,
    });
    const answer = await policy.grpc((client) => call(client, 'explain', { request }));
    expect(answer.steps.map(({ name }) => name)).toEqual([
      'tenant',
      'admission',
      'function',
      'group',
      'nodes',
      'node',
      'binding',
    ]);
    expect(answer.candidates.map(({ nodeId, refused }) => [nodeId, refused])).toEqual([
      ['fs-1', ''],
      ['fs-2', ''],
    ]);
    expect(answer.decision?.reason).toMatch(/^lightest: /);
  });

  it('says what a destination is, by the router that keeps the registration', async () => {
    services.registeredAt.set('alice@acme.example', 'fs-router-4');
    const asked = ResolveDestinationRequest.fromPartial({
      tenantId: 'acme',
      dialled: { target: { $case: 'user', value: '100' } },
    });
    const answer = await policy.grpc((client) => call(client, 'resolveDestination', asked));
    expect(answer).toMatchObject({ kind: 'RESOLVED_KIND_AGENT', mailbox: 'alice@acme.example' });
    const [{ legs, timeoutS }] = answer.dial!.groups as [(typeof answer.dial & object)['groups'][0]];
    expect([timeoutS, legs[0]!.hops.map(({ nodeId }) => nodeId)]).toEqual([
      30,
      ['fs-router-4', 'fs-router-3'],
    ]);
    expect(legs[0]!.hops[0]!.nextHop).toBe('sip:10.0.0.4:5060;transport=udp');
  });

  it('says so too while session-cache is mute', async () => {
    services.mute = true;
    const dialled = { target: { $case: 'agent', value: 'alice' } } as const;
    const asked = ResolveDestinationRequest.fromPartial({ tenantId: 'acme', dialled });
    expect(
      (await policy.grpc((client) => call(client, 'resolveDestination', asked))).dial?.groups[0]?.legs[0]
        ?.hops,
    ).toHaveLength(2);
    services.mute = false;
  });

  it('explains what number rules make of a call', async () => {
    const asked = ExplainNumberRequest.fromPartial({
      tenantId: 'acme',
      direction: 'DIRECTION_OUTBOUND',
      called: '004989123456',
      calling: 'alice',
    });
    expect(await policy.grpc((client) => call(client, 'explainNumber', asked))).toMatchObject({
      refusedCode: '',
      plans: [
        {
          trunkId: 'acme-carrier',
          called: '089123456',
          calledRule: 'acme-carrier/outbound/called/1',
          calling: '+4930100',
          assertedIdentity: '+4930100',
        },
      ],
    });
  });

  it('tells a router and a tandem where a call goes', async () => {
    const inside = {
      'Caller-Context': 'mesh',
      variable_sip_call_id: 'c1',
      variable_sip_req_host: 'acme.example',
      'variable_sip_h_X-Callmesh-Tenant': 'acme',
    };
    const asAgent = { ...inside, hostname: 'fs-router-3', variable_sip_req_user: 'alice' };
    expect((await policy.freeswitch('dialplan', asAgent)).text).toContain(
      'sofia/mesh/sip:a@192.0.2.7;fs_path=%3Csip%3A10.0.9.2%3Blr%3E',
    );
    const outside = { ...inside, hostname: 'fs-tandem-5', variable_sip_req_user: '+4989123456' };
    expect((await policy.freeswitch('dialplan', outside)).text).toContain(
      'sofia/gateway/acme-carrier/089123456',
    );
    const { text, headers } = await policy.freeswitch('dialplan', { ...outside, hostname: 'fs-unknown' });
    expect([text, headers.get('cache-control')]).toEqual([expect.stringContaining('403 Forbidden'), null]);
  });

  it('answers from its own memory while session-cache is mute, says so, and makes up for it', async () => {
    services.mute = true;
    const { body } = await policy.route('undurable');
    expect(body.durable).toBe(false);
    expect((await policy.route('undurable')).body).toMatchObject({
      session_id: body.session_id,
      node: body.node,
    });
    expect((await policy.health()).degraded).toHaveProperty('bindings');
    services.mute = false;
    await until(() => services.bindings.has(String(body.session_id)));
    await until(async () => !('bindings' in (await policy.health()).degraded));
  });

  it('lets hardly anyone wait while session-cache is known to be mute', async () => {
    services.mute = true;
    await policy.route('notices');
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => policy.route(`mute-${i}`)));
    services.mute = false;
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const logged = () => policy.log.filter(({ call_id }) => String(call_id).startsWith('mute-'));
    await until(() => logged().length === 50);
    expect(logged().filter(({ ms }) => Number(ms) > 140).length).toBeLessThan(25);
  });

  it('finds where a dialog moved, and says 481 for one nobody knows', async () => {
    const { body } = await policy.route('dialog');
    const ask = {
      edge: 'kama-pstn-1',
      tenant: 'acme',
      method: 'BYE',
      node: '10.0.0.9:5060',
      source_address: '192.0.2.10',
      source_port: 5060,
    };
    const found = await policy.post('/v1/routes/dialog', { ...ask, call_id: 'dialog' });
    expect(found.body).toMatchObject({ node: body.node, moved: true });
    // On a busy machine session-cache may not answer in time at first.
    const unknown = async () => (await policy.post('/v1/routes/dialog', { ...ask, call_id: 'nobody' })).body;
    await expect.poll(unknown).toMatchObject({ code: 'session_gone', sip_status: 481 });
  });

  it('counts its decisions', async () => {
    const metrics = await policy.metrics();
    expect(metrics).toMatch(/callmesh_policy_decisions_total\{.*strategy="lightest".*outcome="ok".*\} \d+/);
    expect(metrics).toContain('callmesh_policy_snapshot_age');
    expect(metrics).toContain('callmesh_policy_pending');
  });

  it('goes on answering when every service is gone', async () => {
    services.stop();
    await until(async () => Object.keys((await policy.health()).degraded).includes('state'));
    const { status, body } = await policy.route('alone');
    expect([status, body.durable]).toEqual([200, false]);
    expect((await policy.route('alone')).body.node).toBe(body.node);
  });

  it('starts from its last snapshot when every service is gone', async () => {
    expect(await policy.stop()).toBe(0);
    policy = new PolicyProcess(folder, `127.0.0.1:${services.port}`);
    const { status, body } = await policy.route('after-the-restart');
    expect([status, body.tenant, body.durable]).toEqual([200, 'acme', false]);
    expect(Object.keys((await policy.health()).degraded).sort()).toEqual([
      'bindings',
      'etcd',
      'nats',
      'session-cache',
      'state',
      'tenant-registry',
    ]);
  });

  it('finds its services again when they come back', async () => {
    await services.start();
    const away = async () =>
      Object.keys((await policy.health()).degraded)
        .sort()
        .join(' ');
    await expect.poll(away, { timeout: 30_000 }).toBe('etcd nats');
    expect((await policy.route('together-again')).body.durable).toBe(true);
  });
});
