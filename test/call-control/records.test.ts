import { eventually } from '@callmesh/local';
import type { SessionRecord } from '@callmesh/proto/cdr';
import { call, publishNode } from '@callmesh/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { at, eventOf, type Story } from '../../services/call-control/test/calls.ts';
import { postgresBinaries, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { ACME, PAGE, RecordsStage } from './records-stage.ts';

let count = 0;
const newSession = () => (++count).toString(16).padStart(16, '0');

/** An answered call of two legs, told with everything that happens in between. */
function answered(tenant: string): Story[] {
  const common = { tenant, session: newSession() };
  return [
    { ...common, leg: `${common.session}-a`, created: 0, answered: 2_010, ended: 9_000, mos: 4.2 },
    {
      ...{ ...common, leg: `${common.session}-b`, outbound: true, agent: 'alice@acme.example', mos: 4 },
      ...{ created: 10, answered: 2_000, ended: 8_990, endedBy: 'far' },
    },
  ];
}
const many = (tenant: string, calls: number) => Array.from({ length: calls }, () => answered(tenant)).flat();

/** Every session once, each of two legs, all of them ended. */
function expectWhole(records: readonly SessionRecord[], calls: number): void {
  expect(records).toHaveLength(calls);
  expect(new Set(records.map(({ sessionId }) => sessionId)).size).toBe(calls);
  expect(records.filter(({ legs, talkMs }) => legs !== 2 || talkMs !== 7_000)).toEqual([]);
}

describe.skipIf(!postgresBinaries())('records of two replicas on PostgreSQL', () => {
  let server: TestPostgres;
  let stage: RecordsStage;
  beforeAll(async () => {
    server = (await startPostgres())!;
    const database = { url: server.createDatabase('records'), pool_size: 4 };
    stage = await RecordsStage.start([{ database }, { database }]);
  }, 120_000);
  afterAll(async () => {
    await stage?.stop();
    await server?.stop();
  });

  it('tell how calls went: answered, busy, not answered, cancelled, failed, transferred', async () => {
    const tenant = 'outcomes';
    const failing = (cause: string): Story[] =>
      many(tenant, 1).map((leg) => ({ ...leg, answered: undefined, cause }) as unknown as Story);
    const [a, b] = answered(tenant);
    const transferred = {
      ...b!,
      leg: 'transferred',
      created: 4_000,
      answered: 5_000,
      agent: 'bob@acme.example',
    };
    stage.tell(
      ...answered(tenant),
      ...['USER_BUSY', 'NO_ANSWER', 'ORIGINATOR_CANCEL', 'NORMAL_TEMPORARY_FAILURE'].flatMap(failing),
      ...[a!, { ...b!, ended: 4_000, transferred: true }, transferred],
    );
    const records = await stage.ended(tenant, 6);
    expect(records.map(({ disposition }) => disposition.slice('DISPOSITION_'.length)).toSorted()).toEqual([
      ...['ANSWERED', 'ANSWERED', 'BUSY', 'CANCELLED', 'FAILED', 'NO_ANSWER'],
    ]);
    const request = { tenantId: tenant, sessionId: a!.session! };
    const { session, legs } = await call(stage.cdr(), 'getSession', request);
    expect(session).toMatchObject({
      transferred: true,
      agentIds: ['alice@acme.example', 'bob@acme.example'],
      endedBy: 'callee',
      answeredAt: at(2_000),
      endedAt: at(9_000),
    });
    expect(legs.map(({ legUuid }) => legUuid)).toEqual([a!.leg, b!.leg, 'transferred']);
    expect(legs[0]!.summary).toMatchObject({
      readCodec: 'PCMA',
      quality: { mos: 4.2, packets: 1_000, lost: 3 },
    });
  });

  it('are exact when NATS is killed and restarted with events under way', async () => {
    stage.tell(...many('nats', 300));
    await eventually(async () => (await stage.sessions('nats')).length > 0, 'the first are there', 20_000);
    await stage.nats.process.kill();
    stage.tell(...many('nats', 300));
    await stage.nats.process.start();
    expectWhole(await stage.ended('nats', 600), 600);
  }, 60_000);

  it('are exact when a replica is killed in the middle of it, and another', async () => {
    stage.tell(...many('killed', 800));
    for (const replica of stage.replicas) {
      const before = (await stage.sessions('killed', stage.cdr(undefined, 1))).length;
      await eventually(
        async () =>
          (await stage.sessions('killed', stage.cdr(undefined, 1))).length > before || before >= 800,
        'more are there',
      );
      await replica.kill();
      await replica.start();
    }
    expectWhole(await stage.ended('killed', 800, 60_000), 800);
  }, 120_000);

  it('wait in the stream while the database is away, which is said, and lose nothing', async () => {
    stage.tell(...many('away', 100));
    await stage.ended('away', 100);
    await server.kill();
    stage.tell(...many('away', 200));
    const cdr = stage.cdr();
    await eventually(
      () =>
        call(cdr, 'listSessions', PAGE).then(
          () => false,
          ({ code }) => code === 'unavailable',
        ),
      'queries say that the database is away',
    );
    await eventually(async () => (await stage.degraded()).database !== undefined, 'health says so');
    await server.start();
    expectWhole(await stage.ended('away', 300), 300);
    await eventually(async () => (await stage.degraded()).database === undefined, 'health is well again');
  }, 60_000);

  it('are the same when everything that is kept is read once more, as after a restored backup', async () => {
    const { consumers } = await stage.connection.js.jetstreamManager();
    const allIsRead = async () => {
      const { num_pending, num_ack_pending, delivered } = await consumers.info('CALLS', 'cdr');
      return delivered.consumer_seq > 0 && num_pending + num_ack_pending === 0;
    };
    stage.tell(...many('again', 50));
    await stage.ended('again', 50);
    // Of a session that has ended one of the legs may still be on its way.
    await eventually(allIsRead, 'everything was read');
    const before = await stage.sessions('again');
    await consumers.delete('CALLS', 'cdr');
    await eventually(allIsRead, 'everything was read again', 30_000);
    expect(await stage.sessions('again')).toEqual(before);
  }, 60_000);

  it('end a session whose node is told to be down, and believe the node if it is not', async () => {
    const common = { tenant: 'down', session: newSession(), node: 'fs-lost', epoch: 'life-1' };
    const alive: Story = { ...common, leg: 'alive', created: 0, answered: 3_000 };
    stage.tell(alive, {
      ...common,
      leg: 'ended',
      created: 10,
      outbound: true,
      answered: 2_990,
      ended: 6_000,
    });
    const record = async () => (await stage.sessions('down'))[0];
    await eventually(async () => (await record())?.legs === 1, 'the session is there');
    expect(await record()).toMatchObject({ endedAt: undefined, talkMs: 0 });
    const down = { nodeId: 'fs-lost', epoch: 'life-1', event: 'down', reason: 'test', observer: 'state' };
    publishNode(stage.connection, { ...down, at: new Date() });
    await eventually(async () => (await record())?.endedAt !== undefined, 'the session has ended');
    expect(await record()).toMatchObject({ endedAt: at(6_000), legs: 2, endedBy: '' });
    stage.tell({ ...alive, ended: 60_000, endedBy: 'far' });
    await eventually(async () => (await record())?.endedBy === 'caller', 'its end is told');
    expect(await record()).toMatchObject({ endedAt: at(60_000), talkMs: 57_010 });
  });

  it('are removed when they are older than they are to be kept', async () => {
    const old = -100 * 24 * 3_600_000;
    const [leg] = many('aged', 1);
    stage.tell({ ...leg!, created: old, answered: old + 10, ended: old + 20 }, ...many('aged', 1));
    await eventually(async () => (await stage.sessions('aged')).length === 2, 'both are there');
    await stage.replicas[0]!.restart();
    await eventually(async () => (await stage.sessions('aged')).length === 1, 'the old one is gone', 30_000);
    expect((await stage.sessions('aged'))[0]!.startedAt).toEqual(at(0));
  }, 60_000);

  it('are not held up by events that are none', async () => {
    const [story] = answered('sound');
    const event = eventOf(story!, 'hangup', 9_000);
    await stage.tellRaw('callmesh.call.sound.hangup', 'no JSON at all');
    await stage.tellRaw('callmesh.call.sound.hangup', '{"event":"hangup","summary":7}');
    for (const wrong of [{ tenantId: "'; drop table leg" }, { legUuid: '' }, { sessionId: '\0' }])
      await stage.tellRaw('callmesh.call.sound.hangup', { ...event, ...wrong });
    stage.tell(...many('sound', 20));
    expectWhole(await stage.ended('sound', 20), 20);
  });

  it('are shown to whom they belong; a look at others is refused and noted once', async () => {
    stage.tell(...answered('acme'), ...answered('globex'));
    await stage.ended('acme', 1);
    await stage.ended('globex', 1);
    const mine = stage.cdr(ACME.token);
    expect(await stage.sessions('acme', mine)).toHaveLength(1);
    const [theirs] = await stage.sessions('globex');
    const reaches = [
      () => call(mine, 'listSessions', { ...PAGE, tenantId: 'globex' }),
      () => call(mine, 'getSession', { tenantId: 'globex', sessionId: theirs!.sessionId }),
      () => call(mine, 'listSessions', PAGE),
      () => call(stage.audit(ACME.token), 'listRefusals', { ...PAGE, tenantId: 'globex' }),
    ];
    for (const reach of reaches) await expect(reach()).rejects.toMatchObject({ code: 'tenant_forbidden' });
    // What is another's is not even there for whoever asks in his own name.
    const own = { tenantId: 'acme', sessionId: theirs!.sessionId };
    await expect(call(mine, 'getSession', own)).rejects.toMatchObject({ code: 'not_found' });
    const refusals = async (tenantId: string) =>
      (await call(stage.audit(), 'listRefusals', { ...PAGE, tenantId })).events;
    await eventually(async () => (await refusals('*')).length >= 4, 'refusals are kept');
    expect(await refusals('*')).toHaveLength(4);
    expect(await refusals('globex')).toHaveLength(3);
    expect((await refusals('globex'))[0]).toMatchObject({
      what: 'cdr',
      code: 'tenant_forbidden',
      actor: 'crm-acme',
      observer: 'call-control-1',
    });
  });

  it.each<[string, Partial<typeof PAGE>]>([
    ['tenant_id', { tenantId: '' }],
    ['page_size', { pageSize: 1_001 }],
    ['page_token', { pageToken: 'x' }],
    ['party', { party: '\0' }],
  ])('refuse a wrong %s by its name', async (field, wrong) => {
    await expect(call(stage.cdr(), 'listSessions', { ...PAGE, ...wrong })).rejects.toMatchObject({
      code: 'invalid_argument',
      field,
    });
  });

  it('refuse a page token of another list, or one that was tampered with', async () => {
    stage.tell(...many('pages', 3));
    await stage.ended('pages', 3);
    const request = { ...PAGE, tenantId: 'pages', pageSize: 2 };
    const { nextPageToken } = await call(stage.cdr(), 'listSessions', request);
    const [list, place] = JSON.parse(Buffer.from(nextPageToken, 'base64url').toString()) as [string, string];
    const forged = (value: unknown) =>
      Buffer.from(JSON.stringify([list, JSON.stringify(value)])).toString('base64url');
    const wrong = [
      { ...request, tenantId: '*', pageToken: nextPageToken },
      { ...request, party: '200', pageToken: nextPageToken },
      ...[
        [],
        ['now()', 'a', 'b'],
        ['2026-99-99T00:00:00.000Z', 'a', 'b'],
        { a: 1 },
        JSON.parse(place).slice(1),
      ].map((value) => ({ ...request, pageToken: forged(value) })),
    ];
    for (const one of wrong)
      await expect(call(stage.cdr(), 'listSessions', one)).rejects.toMatchObject({
        code: 'invalid_argument',
        field: 'page_token',
      });
    expect(
      (await call(stage.cdr(), 'listSessions', { ...request, pageToken: nextPageToken })).sessions,
    ).toHaveLength(1);
  });
});

describe('records in the embedded database', () => {
  it('are kept over a kill, and go on', async () => {
    const stage = await RecordsStage.start([{}]);
    try {
      stage.tell(...many('embedded', 60));
      await eventually(
        async () => (await stage.sessions('embedded')).length > 0,
        'the first are there',
        30_000,
      );
      await stage.replicas[0]!.kill();
      stage.tell(...many('embedded', 60));
      await stage.replicas[0]!.start();
      expectWhole(await stage.ended('embedded', 120), 120);
    } finally {
      await stage.stop();
    }
  }, 120_000);

  it('are begun when the database is there at last: the service does not wait for it', async () => {
    const server = await startPostgres();
    if (!server) return;
    const url = server.createDatabase('late');
    await server.kill();
    const stage = await RecordsStage.start([{ database: { url, pool_size: 2 } }]);
    try {
      await eventually(async () => (await stage.degraded()).database !== undefined, 'health says it is away');
      stage.tell(...many('late', 10));
      await server.start();
      expectWhole(await stage.ended('late', 10), 10);
    } finally {
      await stage.stop();
      await server.stop();
    }
  }, 120_000);
});
