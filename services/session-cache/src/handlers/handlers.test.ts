import { NodeRole } from '@callmesh/proto/node';
import type { Binding, BindRequest, BindResponse, Registration } from '@callmesh/proto/session';
import { FunctionMessage } from '@callmesh/proto/tenant';
import { call, serverStream } from '@callmesh/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binding } from '../../test/bindings.ts';
import { until } from '../../test/replicas.ts';
import { serve } from '../../test/service.ts';
import { MemoryBucket } from '../adapters/memory-kv.ts';

const bindOf = (of: Binding, correlation = 0): BindRequest => ({ correlation, binding: of, replaceDead: [] });

describe('session-cache over gRPC', () => {
  let service: Awaited<ReturnType<typeof serve>>;
  const bucket = new MemoryBucket();
  beforeAll(async () => {
    service = await serve(bucket.connect(), new MemoryBucket().connect());
    await until(() => service.cache.replica.live && service.cache.registrations.live);
  });
  afterAll(() => service.stop());

  it('binds, gets, moves, lists and releases', async () => {
    const { client } = service;
    const wanted = binding('life', { tenantId: 'lifecycle' });
    const bound = await call(client, 'bind', bindOf(wanted));
    expect(bound).toMatchObject({
      created: true,
      binding: { ...wanted, state: 'BINDING_STATE_BOUND', createdAt: expect.any(Date), revision: 1 },
    });
    const byCall = { $case: 'callId', value: 'life' } as const;
    const got = await call(client, 'get', { tenantId: 'lifecycle', role: wanted.role, key: byCall });
    expect(got).toEqual(bound.binding);
    const from = { nodeId: 'fs-a', epoch: 'a1' };
    const to = { nodeId: 'fs-b', epoch: 'b1' };
    const move = { sessionId: wanted.sessionId, from, to };
    await expect(call(client, 'move', move)).resolves.toMatchObject({ nodeId: 'fs-b', nodeEpoch: 'b1' });
    await expect(call(client, 'move', move)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('fs-b (epoch b1)'),
    });
    const list = { nodeId: 'fs-b', tenantId: '', pageSize: 0, pageToken: '' };
    await expect(call(client, 'list', list)).resolves.toMatchObject({ total: 1, nextPageToken: '' });
    const release = { sessionId: wanted.sessionId };
    await expect(call(client, 'release', release)).resolves.toEqual({ released: true });
    await expect(call(client, 'release', release)).resolves.toEqual({ released: false });
  });

  it('takes any Call-ID of 256 bytes, whatever is in it', async () => {
    const hostile = [
      '>',
      '*',
      '.',
      'a b\r\nc',
      '\0',
      '../../etc',
      '{"$":1}',
      '%00',
      'é'.repeat(128),
      '\u202e\ufffe',
      '.'.repeat(256),
      String.fromCharCode(...Array.from({ length: 128 }, (_, code) => code)),
    ];
    for (const callId of hostile) {
      const { binding: made, created } = await call(service.client, 'bind', bindOf(binding(callId)));
      expect({ callId: made?.callId, created }).toEqual({ callId, created: true });
      const again = await call(service.client, 'bind', bindOf(binding(callId)));
      expect(again).toMatchObject({ created: false, binding: { sessionId: made?.sessionId } });
    }
  });

  it.each([
    ['binding.call_id', { callId: 'x'.repeat(257) }],
    ['binding.call_id', { callId: 'é'.repeat(129) }],
    ['binding.call_id', { callId: '' }],
    ['binding.affinity_key', { affinityKey: 'x'.repeat(257) }],
    ['binding.tenant_id', { tenantId: 'acme.>' }],
    ['binding.tenant_id', { tenantId: '' }],
    ['binding.session_id', { sessionId: 'ABC' }],
    ['binding.node_id', { nodeId: '' }],
    ['binding.node_epoch', { nodeEpoch: '' }],
    ['binding.role', { role: NodeRole.NODE_ROLE_UNSPECIFIED }],
    ['binding.function', { function: FunctionMessage.FUNCTION_UNSPECIFIED }],
    ['binding.trunk_id', { trunkId: 'x'.repeat(129) }],
  ])('refuses a wrong %s by name', async (field, wrong) => {
    await expect(call(service.client, 'bind', bindOf(binding('wrong', wrong)))).rejects.toMatchObject({
      code: 'invalid_argument',
      field,
    });
  });

  it('refuses a proposal on a life that the caller itself calls over', async () => {
    const request = { ...bindOf(binding('dead')), replaceDead: [{ nodeId: 'fs-a', epoch: 'a1' }] };
    await expect(call(service.client, 'bind', request)).rejects.toMatchObject({
      field: 'binding.node_epoch',
    });
  });

  it('lists pages that together hold each session once', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 25; n++) {
      const one = binding(`page-${n}`, { tenantId: 'pages' });
      ids.push(one.sessionId);
      await call(service.client, 'bind', bindOf(one));
    }
    const seen: string[] = [];
    let pageToken = '';
    do {
      const list = { nodeId: '', tenantId: 'pages', pageSize: 10, pageToken };
      const page = await call(service.client, 'list', list);
      expect(page.total).toBe(25);
      seen.push(...page.bindings.map((one) => one.sessionId));
      pageToken = page.nextPageToken;
    } while (pageToken);
    expect(seen).toEqual(ids.sort());
  });

  it.each([
    ['page_size', { pageSize: 1001, pageToken: '' }],
    ['page_token', { pageSize: 1, pageToken: 'no token!' }],
  ])('refuses a wrong %s', async (field, wrong) => {
    const list = { nodeId: '', tenantId: '', ...wrong };
    await expect(call(service.client, 'list', list)).rejects.toMatchObject({
      code: 'invalid_argument',
      field,
    });
  });

  it('answers a stream of binds by correlation, failures as answers', async () => {
    const stream = service.client.bindStream();
    const answers: BindResponse[] = [];
    stream.on('data', (answer: BindResponse) => answers.push(answer));
    const ended = new Promise((resolve) => stream.once('end', resolve));
    for (let n = 1; n <= 2000; n++) {
      const wrong = n % 100 === 0 ? { callId: '' } : {};
      stream.write(bindOf(binding(`stream-${n % 1500}`, wrong), n));
    }
    stream.end();
    await ended;
    expect(new Set(answers.map(({ correlation }) => correlation)).size).toBe(2000);
    expect(answers.filter(({ error }) => error === 'invalid_argument')).toHaveLength(20);
    expect(answers.filter(({ created }) => created)).toHaveLength(1485);
  });

  it('watches one tenant: snapshot, marker, changes', async () => {
    const before = binding('watched', { tenantId: 'watch' });
    await call(service.client, 'bind', bindOf(before));
    const seen: string[] = [];
    const stop = new AbortController();
    const done = (async () => {
      const stream = serverStream(service.client, 'watch', { tenantId: 'watch' }, { signal: stop.signal });
      for await (const { event } of stream) {
        if (event?.$case === 'snapshotDone') seen.push('done');
        else seen.push(`${event?.$case} ${event?.value.callId} ${event?.value.nodeId}`);
      }
    })();
    await until(() => seen.includes('done'));
    const move = { from: { nodeId: 'fs-a', epoch: 'a1' }, to: { nodeId: 'fs-b', epoch: 'b1' } };
    await call(service.client, 'move', { sessionId: before.sessionId, ...move });
    await call(service.client, 'bind', bindOf(binding('foreign', { tenantId: 'other' })));
    await call(service.client, 'release', { sessionId: before.sessionId });
    await until(() => seen.length === 4);
    stop.abort();
    await done;
    expect(seen).toEqual(['put watched fs-a', 'done', 'put watched fs-b', 'released watched fs-b']);
  });
});

describe('registrations over gRPC', () => {
  let service: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    service = await serve(new MemoryBucket().connect(), new MemoryBucket().connect());
    await until(() => service.cache.registrations.live);
  });
  afterAll(() => service.stop());

  const registration = (contact: string, more: Partial<Registration> = {}): Registration => ({
    aor: 'alice@acme.example',
    tenantId: 'acme',
    contact,
    edgeId: 'kama-wss-1',
    path: ['sip:127.0.0.1:5060;lr'],
    routerId: 'fs-router-1',
    userAgent: 'JsSIP',
    instanceId: '',
    expiresAt: new Date(Date.now() + 60_000),
    callId: 'reg-1',
    cseq: 1,
    ...more,
  });
  const put = (one: Registration) => call(service.client, 'putRegistration', { registration: one });
  const contacts = async (aor = 'alice@acme.example') =>
    (await call(service.client, 'getRegistrations', { aor })).registrations.map(({ contact }) => contact);

  it('keeps several devices, newest first, and finds them whatever the domain’s case', async () => {
    await put(registration('sip:phone'));
    await put(registration('sip:browser', { callId: 'reg-2' }));
    expect(await contacts('alice@ACME.example')).toEqual(['sip:browser', 'sip:phone']);
    expect(await contacts('Alice@acme.example')).toEqual([]);
  });

  it('never lets an older REGISTER of the same dialog replace a newer one', async () => {
    await put(registration('sip:order', { aor: 'order@acme.example', cseq: 5 }));
    await expect(
      put(registration('sip:order', { aor: 'order@acme.example', cseq: 4 })),
    ).rejects.toMatchObject({
      code: 'conflict',
      field: 'registration.cseq',
    });
    await put(registration('sip:order', { aor: 'order@acme.example', cseq: 5 }));
    await put(registration('sip:order', { aor: 'order@acme.example', callId: 'reborn', cseq: 1 }));
    expect(await contacts('order@acme.example')).toEqual(['sip:order']);
  });

  it('replaces a device’s contact when it comes back at another address', async () => {
    const device = { aor: 'roam@acme.example', instanceId: '<urn:uuid:1>' };
    await put(registration('sip:wifi', device));
    await put(registration('sip:mobile', { ...device, callId: 'reg-9' }));
    expect(await contacts('roam@acme.example')).toEqual(['sip:mobile']);
  });

  it('forgets a contact when it expires, and takes expiry 0 as removal', async () => {
    const aor = 'brief@acme.example';
    await put(registration('sip:brief', { aor, expiresAt: new Date(Date.now() + 40) }));
    await put(registration('sip:left', { aor }));
    await put(registration('sip:left', { aor, cseq: 2, expiresAt: new Date(0) }));
    await until(async () => (await contacts(aor)).length === 0);
  });

  it('keeps no more than 16 contacts of one address', async () => {
    for (let n = 0; n < 20; n++)
      await put(registration(`sip:${n}`, { aor: 'many@acme.example', callId: `c-${n}` }));
    expect(await contacts('many@acme.example')).toHaveLength(16);
  });

  it('refuses another tenant’s address', async () => {
    await put(registration('sip:mine', { aor: 'own@acme.example' }));
    await expect(
      put(registration('sip:theirs', { aor: 'own@acme.example', tenantId: 'globex' })),
    ).rejects.toMatchObject({ code: 'already_exists' });
  });

  it('lists by tenant, edge and router, and removes one or all', async () => {
    const globex = { aor: 'bob@globex.example', tenantId: 'globex' };
    await put(registration('sip:1', { ...globex, edgeId: 'edge-1' }));
    await put(registration('sip:2', { ...globex, edgeId: 'edge-2', routerId: 'router-2', callId: 'x' }));
    const list = async (filter: object) =>
      (
        await call(service.client, 'listRegistrations', {
          tenantId: 'globex',
          edgeId: '',
          routerId: '',
          pageSize: 0,
          pageToken: '',
          ...filter,
        })
      ).registrations.map(({ contact }) => contact);
    expect(await list({})).toEqual(['sip:1', 'sip:2']);
    expect(await list({ edgeId: 'edge-2' })).toEqual(['sip:2']);
    expect(await list({ routerId: 'fs-router-1' })).toEqual(['sip:1']);
    const remove = (contact: string) =>
      call(service.client, 'removeRegistration', { aor: globex.aor, contact });
    await expect(remove('sip:1')).resolves.toEqual({ removed: 1 });
    await expect(remove('')).resolves.toEqual({ removed: 1 });
    await expect(remove('')).resolves.toEqual({ removed: 0 });
  });

  it.each([
    ['registration.aor', { aor: 'nobody' }],
    ['registration.tenant_id', { tenantId: 'A B' }],
    ['registration.contact', { contact: '' }],
    ['registration.expires_at', { expiresAt: undefined }],
    ['registration.call_id', { callId: 'x'.repeat(257) }],
  ])('refuses a wrong %s by name', async (field, wrong) => {
    await expect(put(registration('sip:x', wrong))).rejects.toMatchObject({
      code: 'invalid_argument',
      field,
    });
  });
});
