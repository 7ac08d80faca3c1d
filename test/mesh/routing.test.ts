import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '@callmesh/local';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import { NodeStatus, StateServiceClient } from '@callmesh/proto/state';
import { call, serverStream } from '@callmesh/runtime';
import type { Batch, CallOptions, UacCall } from '@callmesh/standin/uac';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Decision, mediaNodes, tenants, World } from './world.ts';

const GROUPS = ['red', 'blue', 'green'];
const ordinary = tenants(20, GROUPS);
const [red] = ordinary as [(typeof ordinary)[0]];
const disabled = {
  ...red,
  id: 'closed',
  host: '127.0.4.1',
  number: '+493020001',
  tenant: { enabled: false },
};
const small = { ...red, id: 'small', host: '127.0.4.2', number: '+493020002', tenant: { max_calls: 2 } };
const slow = { ...red, id: 'slow', host: '127.0.4.3', number: '+493020003', tenant: { max_cps: 2 } };

/** A PBX that calls from anywhere and proves who it is by digest. */
const credentials = { username: 'roaming-pbx', password: 'a-secret-of-the-pbx' };
const roaming = {
  ...red,
  ...{ id: 'roaming', host: '127.0.4.4', number: '+493020004' },
  trunk: {
    ...{ auth: 'digest', username: credentials.username, source_addresses: [] },
    ha1_md5: createHash('md5').update(`roaming-pbx:roaming.example:${credentials.password}`).digest('hex'),
  },
};

let world: World;
beforeAll(async () => {
  world = await World.start([...ordinary, disabled, small, slow, roaming], {
    nodes: GROUPS.flatMap((group) => mediaNodes(group, 2)),
    replicas: { policy: 2 },
    // These ask what is answered, not how fast a busy machine does.
    knobs: { POLICY_TIMEOUT_MS: '5000' },
  });
}, 90_000);
afterAll(() => world.stop());

/** Ids of the nodes that took these calls. */
const nodesIn = (batch: Batch) => [...batch.byNode.keys()].map((sip) => world.mesh.nodeAt(sip)).sort();
/** The node that took a call. */
const nodeOf = async (one: UacCall) => world.mesh.nodeAt((await one.outcome).node);

/** Ids of the nodes of a group. */
const nodesOf = (group: string) => [`fs-${group}-1`, `fs-${group}-2`];

describe('calls through the door', () => {
  it('of 20 tenants at once all complete, each on nodes of its own group', async () => {
    const batches = await Promise.all(
      ordinary.map(async (tenant) => {
        const pbx = await world.pbx(tenant);
        return {
          tenant,
          batch: await pbx.run({ count: 5, rate: 10, holdMs: 300, call: () => world.to(tenant) }),
        };
      }),
    );
    for (const { tenant, batch } of batches) {
      expect(batch.failed, tenant.id).toEqual([]);
      expect(nodesOf(tenant.group), tenant.id).toEqual(expect.arrayContaining(nodesIn(batch)));
    }
  });

  it('tell the node whose they are, and that cannot be forged', async () => {
    const pbx = await world.pbx(red);
    const mine = pbx.call(
      world.to(red, { headers: { 'X-Callmesh-Tenant': 't02', 'x-callmesh-session': 'feedfeedfeedfeed' } }),
    );
    const node = await nodeOf(mine);
    const leg = (await world.mesh.channels(node)).find((one) => one.call_id === mine.callId)!;
    expect(leg.headers['sip_h_X-Callmesh-Tenant']).toBe('t01');
    expect(leg.headers['sip_h_X-Callmesh-Session']).toMatch(/^[0-9a-f]{16}$/);
    expect(leg.headers['sip_h_X-Callmesh-Session']).not.toBe('feedfeedfeedfeed');
    await mine.bye();
  });

  it('leave the binding behind while they last, and nothing afterwards', async () => {
    const cache = world.mesh.client(SessionCacheServiceClient, 'session-cache-1');
    const pbx = await world.pbx(red);
    const mine = pbx.call(world.to(red));
    const node = await nodeOf(mine);
    const key = {
      tenantId: 't01',
      role: 'NODE_ROLE_MEDIA',
      key: { $case: 'callId', value: mine.callId },
    } as const;
    const bound = await eventually(async () => {
      const binding = await call(cache, 'get', key);
      return binding.state === 'BINDING_STATE_CONFIRMED' && binding;
    }, 'the node confirmed the session');
    expect(bound.nodeId).toBe(node);
    await mine.bye();
    await eventually(
      () =>
        call(cache, 'get', key).then(
          () => false,
          (error) => error.code === 'not_found',
        ),
      'the binding is released after the last hangup',
    );
  });

  it('follow their dialog: re-INVITE, UPDATE, INFO, REFER and BYE reach the node that took the call', async () => {
    const pbx = await world.pbx(red);
    const mine = pbx.call(world.to(red));
    expect((await mine.outcome).status).toBe(200);
    expect((await mine.reinvite()).status).toBe(200);
    expect((await mine.update()).status).toBe(200);
    expect((await mine.info('Signal=5\r\nDuration=160\r\n')).status).toBe(200);
    expect((await mine.refer('sip:+4930555@callmesh.example')).status).toBe(202);
    await mine.bye();
    expect((await mine.ended).status).toBe(200);
  });

  it('land on the node they landed on, whichever policy instance is asked about a re-sent INVITE', async () => {
    // Busy here: a node that was asked keeps the binding, and the caller may ask again.
    for (const id of nodesOf('red')) await world.mesh.set(id, { respond: 486 });
    try {
      const asked = await Promise.all([resent(red, {}), resent(roaming, { credentials })]);
      for (const decisions of asked.flat()) {
        expect(decisions.length).toBeGreaterThanOrEqual(2);
        expect(new Set(decisions.map(({ node }) => node)).size).toBe(1);
      }
      expect(
        asked.flat().some((decisions) => new Set(decisions.map(({ instance }) => instance)).size === 2),
      ).toBe(true);
    } finally {
      for (const id of nodesOf('red')) await world.mesh.set(id, { respond: 0 });
    }
  });

  it('get one node when two policy instances are asked at the same moment', async () => {
    const ask = async (policy: string, callId: string) => {
      const url = `http://${world.mesh.service(policy).ready.api}/v1/routes/session`;
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${world.mesh.token}` };
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(question(callId)) });
      return ((await answer.json()) as { node: string }).node;
    };
    for (let n = 0; n < 20; n++) {
      const [one, two] = await Promise.all([
        ask('policy-1', `both-${n}@test`),
        ask('policy-2', `both-${n}@test`),
      ]);
      expect(nodesOf('red')).toContain(one);
      expect(two).toBe(one);
    }
  });
});

/** Ten calls, each sent four times with the same Call-ID; the decisions about each, from policy's log. */
async function resent(tenant: typeof red, more: Partial<CallOptions>): Promise<Decision[][]> {
  const pbx = await world.pbx(tenant);
  const callIds = Array.from({ length: 10 }, (_, n) => `again-${tenant.id}-${n}@test`);
  for (const callId of callIds) {
    for (let sent = 0; sent < 4; sent++) {
      expect((await pbx.call(world.to(tenant, { callId, ...more })).outcome).status).toBe(486);
    }
  }
  return callIds.map((callId) => world.decisions().filter((one) => one.call_id === callId));
}

/** What Kamailio asks about a call of red's PBX. */
function question(callId: string) {
  const uri = `sip:${red.number}@callmesh.example`;
  return {
    ...{
      edge: 'kama-pstn-1',
      call_id: callId,
      method: 'INVITE',
      from_uri: 'sip:pbx@t01.example',
      to_uri: uri,
    },
    ...{ request_uri: uri, source_address: red.host, source_port: 5060, transport: 'udp', authorization: '' },
    ...{ user_agent: 'test', tls_subject: '', media_behind_nat: false },
  };
}

describe('calls that may not be', () => {
  it('from an address nobody owns are refused', async () => {
    const stranger = await world.pbx({ ...red, id: 'stranger', host: '127.0.9.9' });
    expect(await stranger.call(world.to(red)).outcome).toMatchObject({
      status: 403,
      reason: 'Unknown Trunk',
    });
  });

  it('of a disabled tenant are refused', async () => {
    const pbx = await world.pbx(disabled);
    expect(await pbx.call(world.to(disabled)).outcome).toMatchObject({
      status: 403,
      reason: 'Tenant Disabled',
    });
  });

  it('beyond the concurrent limit are refused with Retry-After, and taken again when one ended', async () => {
    const pbx = await world.pbx(small);
    const two = [pbx.call(world.to(small)), pbx.call(world.to(small))];
    for (const one of two) expect((await one.outcome).status).toBe(200);
    const third = await pbx.call(world.to(small)).outcome;
    expect(third).toMatchObject({ status: 503, reason: 'Concurrent Call Limit' });
    expect(third.retryAfter).toBeGreaterThan(0);
    await two[0]!.bye();
    const again = await eventually(async () => {
      const one = pbx.call(world.to(small));
      return (await one.outcome).status === 200 && one;
    }, 'a call is taken again');
    await again.bye();
    await two[1]!.bye();
  });

  it('faster than the rate limit are refused with Retry-After', async () => {
    const pbx = await world.pbx(slow);
    const batch = await pbx.run({ count: 10, rate: 100, holdMs: 10, call: () => world.to(slow) });
    expect(batch.completed).toBeGreaterThanOrEqual(2);
    expect(batch.failed.length).toBeGreaterThan(0);
    for (const one of batch.failed)
      expect(one).toMatchObject({ status: 503, reason: 'Call Rate Limit', retryAfter: 1 });
  });
});

describe('nodes that fail', () => {
  afterEach(async () => {
    for (const id of nodesOf('red')) await world.mesh.set(id, { respond: 0, ignoreInvites: false });
  });

  /** Places calls until one has met the node that misbehaves; all must complete on the other. */
  async function callsAround(bad: string): Promise<number[]> {
    const pbx = await world.pbx(red);
    const batch = await pbx.run({ count: 8, rate: 20, holdMs: 100, call: () => world.to(red) });
    expect(batch.failed).toEqual([]);
    expect(nodesIn(batch)).toEqual(nodesOf('red').filter((id) => id !== bad));
    return batch.outcomes.map(({ setupMs }) => setupMs);
  }

  it('answering 503: the call goes to the next target at once', async () => {
    await world.mesh.set('fs-red-1', { respond: 503 });
    await callsAround('fs-red-1');
  });

  it('answering nothing: the call goes to the next target after a second', async () => {
    await world.mesh.set('fs-red-1', { ignoreInvites: true });
    const setups = await callsAround('fs-red-1');
    expect(Math.max(...setups)).toBeGreaterThan(900);
    expect(Math.max(...setups)).toBeLessThan(2_500);
  });

  it('taking a call they were not the first choice for: the binding ends up naming them', async () => {
    await world.mesh.set('fs-red-1', { respond: 503 });
    const cache = world.mesh.client(SessionCacheServiceClient, 'session-cache-1');
    const pbx = await world.pbx(red);
    for (let n = 0; n < 4; n++) {
      const mine = pbx.call(world.to(red));
      expect(await nodeOf(mine)).toBe('fs-red-2');
      const key = {
        tenantId: 't01',
        role: 'NODE_ROLE_MEDIA',
        key: { $case: 'callId', value: mine.callId },
      } as const;
      await eventually(
        async () => (await call(cache, 'get', key)).nodeId === 'fs-red-2',
        'binding names who took it',
      );
      await mine.bye();
    }
  });

  it('whose agent stands still take no new call, keep what they have, and are never called dead', async () => {
    const { agent } = world.mesh.node('fs-red-1');
    const pbx = await world.pbx(red);
    const live = await eventually(async () => {
      const one = pbx.call(world.to(red));
      if ((await nodeOf(one)) === 'fs-red-1') return one;
      return void (await one.bye());
    }, 'a call lives there');
    const state = world.mesh.client(StateServiceClient, 'state-1');
    const stop = new AbortController();
    const dead: string[] = [];
    const everything = { role: 'NODE_ROLE_UNSPECIFIED', group: '' } as const;
    const watching = (async () => {
      for await (const { event } of serverStream(state, 'watchNodes', everything, { signal: stop.signal }))
        if (event?.$case === 'put' && event.value.node!.id === 'fs-red-1')
          if (event.value.status === NodeStatus.NODE_STATUS_DOWN) dead.push(event.value.reason);
    })();
    agent.freeze();
    try {
      await eventually(
        async () =>
          (await world.mesh.until('fs-red-1', NodeStatus.NODE_STATUS_SUSPECT)).evidence.length === 2,
        'etcd and NATS miss it',
        15_000,
      );
      await callsAround('fs-red-1');
      expect((await live.reinvite()).status).toBe(200);
    } finally {
      agent.thaw();
    }
    await world.mesh.until('fs-red-1', NodeStatus.NODE_STATUS_UP);
    await live.bye();
    stop.abort();
    await watching.catch(() => {});
    expect(dead).toEqual([]);
  });

  it('killed while a call rings there: another answers it within two seconds, and the session is its own', async () => {
    for (const id of nodesOf('red')) await world.mesh.set(id, { ringing: true, answerDelayMs: 60_000 });
    const pbx = await world.pbx(red);
    const mine = pbx.call(world.to(red));
    const dying = await eventually(async () => {
      for (const id of nodesOf('red'))
        if ((await world.mesh.channels(id)).some((one) => one.call_id === mine.callId)) return id;
    }, 'it rings somewhere');
    const other = nodesOf('red').find((id) => id !== dying)!;
    await world.mesh.set(other, { ringing: false, answerDelayMs: 0 });
    await delay(700);
    const killed = performance.now();
    await world.mesh.node(dying).server.kill();
    expect(await nodeOf(mine)).toBe(other);
    expect(performance.now() - killed).toBeLessThan(2_000);
    const cache = world.mesh.client(SessionCacheServiceClient, 'session-cache-1');
    const key = {
      ...{ tenantId: 't01', role: 'NODE_ROLE_MEDIA' as const },
      key: { $case: 'callId' as const, value: mine.callId },
    };
    const found = () => call(cache, 'get', key).catch((error) => error.code as string);
    const isThere = (binding: Awaited<ReturnType<typeof found>>) =>
      typeof binding !== 'string' && binding.nodeId === other;
    await eventually(async () => isThere(await found()), 'the session lives where it was answered');
    await mine.bye();
    await world.mesh.node(dying).server.start();
    await eventually(async () => (await found()) === 'not_found', 'nothing is left of it');
    await world.mesh.until(dying, NodeStatus.NODE_STATUS_UP);
  });

  it('killed between two calls: the table says so at once, and the next call goes elsewhere', async () => {
    const pbx = await world.pbx(red);
    const { server } = world.mesh.node('fs-red-1');
    expect((await pbx.run({ count: 4, rate: 20, holdMs: 50, call: () => world.to(red) })).failed).toEqual([]);
    const killed = performance.now();
    await server.kill();
    const row = await world.mesh.until('fs-red-1', NodeStatus.NODE_STATUS_DOWN, 3_000);
    expect(performance.now() - killed).toBeLessThan(1_000);
    expect(row.evidence).toContainEqual(expect.objectContaining({ strong: true }));
    await callsAround('fs-red-1');
    await server.start();
    const back = await world.mesh.until('fs-red-1', NodeStatus.NODE_STATUS_UP);
    expect(back.node!.epoch).not.toBe(row.node!.epoch);
    const batch = await pbx.run({ count: 8, rate: 20, holdMs: 100, call: () => world.to(red) });
    expect(nodesIn(batch)).toEqual(nodesOf('red'));
  });
});
