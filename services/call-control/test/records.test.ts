import type { CallEvent } from '@callmesh/proto/call';
import { Disposition } from '@callmesh/proto/cdr';
import { NodeRole } from '@callmesh/proto/node';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { embeddedBackend, postgresBackend } from '../../../test/support/databases.ts';
import { Keeper } from '../src/adapters/cdr/keeper.ts';
import { type Page, Reader } from '../src/adapters/cdr/reader.ts';
import { Recorder } from '../src/adapters/cdr/recorder.ts';
import { type Database, MIGRATIONS, type Tables } from '../src/adapters/cdr/tables.ts';
import { type Leg, legKey, merge } from '../src/domain/cdr/leg.ts';
import { sessionOf } from '../src/domain/cdr/session.ts';
import { tellingOf } from '../src/domain/cdr/telling.ts';
import { at, BEGIN, eventOf, eventsOf, type Story } from './calls.ts';

// A first start of an embedded database or a server takes seconds of CPU, and other tests run beside.
vi.setConfig({ hookTimeout: 120_000, testTimeout: 60_000 });

let count = 0;
const hex = (n: number) => n.toString(16).padStart(16, '0');
/** A tenant of the test's own: what other tests wrote is none of its business. */
const newTenant = () => `t-${++count}`;
const newSession = () => hex(++count);
const tell = (events: readonly CallEvent[]) => events.map((event) => tellingOf(event) as Leg);

for (const backend of [embeddedBackend<Tables>(MIGRATIONS), postgresBackend<Tables>(MIGRATIONS)]) {
  describe.skipIf(!backend.available)(`records on ${backend.name}`, () => {
    let database: Database;
    let recorder: Recorder;
    let reader: Reader;
    let keeper: Keeper;
    beforeAll(async () => {
      await backend.start();
      database = await backend.open();
      recorder = new Recorder(database.db);
      reader = new Reader(database.db, (work) => work());
      keeper = new Keeper(database.db);
    });
    afterAll(async () => {
      await database?.close();
      await backend.stop();
    });
    const record = (...stories: Story[]) => recorder.record(tell(stories.flatMap(eventsOf)));
    const sessions = (page: Partial<Page>, filter: { party?: string; disposition?: Disposition } = {}) =>
      reader.sessions({ tenantId: '*', limit: 1_000, ...page }, { party: '', ...filter });
    const legs = (page: Partial<Page>, nodeId = '') =>
      reader.legs({ tenantId: '*', limit: 1_000, ...page }, { nodeId });

    /** An answered call of its own session, with a carrier that refused before. */
    const call = (tenant: string, more: Partial<Story> = {}): Story[] => {
      const common = { tenant, session: newSession(), epoch: `e-${++count}`, ...more };
      const { created = 0 } = more;
      return [
        { ...common, leg: 'a', created, answered: created + 3_010, ended: created + 9_000, mos: 4.1 },
        {
          ...common,
          leg: 'b',
          created: created + 5,
          outbound: true,
          ended: created + 900,
          cause: 'USER_BUSY',
        },
        {
          ...{ ...common, leg: 'c', created: created + 910, outbound: true, agent: 'alice@acme.example' },
          ...{
            answered: created + 3_000,
            ended: created + 8_990,
            endedBy: 'far',
            trunk: 'carrier',
            mos: 3.7,
          },
        },
      ];
    };

    it('are one row of a leg that went on at another node, which it ended at', async () => {
      const tenant = newTenant();
      const story = { ...call(tenant)[0]!, leg: `moved-${tenant}`, epoch: 'dead' };
      const [created, answered] = eventsOf(story).slice(0, 2) as [CallEvent, CallEvent];
      const ghost = { ...eventOf(story, 'hangup', 5_000), reconciled: true, summary: undefined };
      await recorder.record(tell([created, answered, ghost]));
      expect(await sessions({ tenantId: tenant })).toHaveLength(1);
      const move = { legUuid: story.leg, nodeEpoch: 'heir' };
      await recorder.record([], [move]);
      expect(await sessions({ tenantId: tenant })).toEqual([]);
      await recorder.record(tell([{ ...eventsOf(story).at(-1)!, nodeEpoch: 'heir' }]), [move]);
      const rows = await legs({ tenantId: tenant });
      expect(rows).toHaveLength(1);
      expect(rows[0]).toMatchObject({ nodeEpoch: 'heir', endedAt: at(story.ended!) });
      expect(await sessions({ tenantId: tenant })).toHaveLength(1);
    });

    it('are the same rows, once each, however events are ordered, repeated and grouped', async () => {
      await fc.assert(
        fc.asyncProperty(fc.infiniteStream(fc.nat(1_000_000)), async (random) => {
          const next = () => random.next().value as number;
          const tenant = newTenant();
          const stories = [
            ...call(tenant),
            ...call(tenant).slice(0, 1 + (next() % 3)),
            { ...call(tenant)[0]!, ended: undefined } as unknown as Story,
          ];
          const events = stories.flatMap(eventsOf);
          const ghost = { ...eventOf(stories[0]!, 'hangup', 99_000), reconciled: true, summary: undefined };
          const order = [...events, ...events.filter(() => next() % 2), ghost]
            .map((event) => [next(), event] as const)
            .sort(([a], [b]) => a - b)
            .map(([, event]) => event);
          while (order.length) await recorder.record(tell(order.splice(0, 1 + (next() % 5))));

          const known = new Map<string, Leg>();
          for (const leg of tell(events)) {
            const before = known.get(legKey(leg));
            known.set(legKey(leg), before ? merge(before, leg) : leg);
          }
          const bySession = Map.groupBy(known.values(), ({ sessionId }) => sessionId);
          for (const [sessionId, list] of bySession) {
            const found = await reader.session(tenant, sessionId);
            expect(found?.session).toEqual(sessionOf(list));
          }
          const ended = [...known.values()].filter(({ endedAt }) => endedAt);
          expect((await legs({ tenantId: tenant })).toSorted(byKey)).toEqual(ended.toSorted(byKey));
        }),
        { numRuns: 40 },
      );
    });

    it('are whole when several replicas write legs of the same sessions at once', async () => {
      const tenant = newTenant();
      const stories = Array.from({ length: 20 }, () => call(tenant)).flat();
      const events = stories.flatMap(eventsOf);
      const replicas = [0, 1, 2, 3].map(async (replica) => {
        const writer = new Recorder(database.db);
        for (const [index, event] of events.entries())
          if (index % 4 === replica) await writer.record(tell([event]));
      });
      await Promise.all(replicas);
      const all = await sessions({ tenantId: tenant });
      expect(all).toHaveLength(20);
      for (const session of all) expect(session).toMatchObject({ legs: 3, endedBy: 'callee', worstMos: 3.7 });
    });

    it('are written once: what comes again changes nothing', async () => {
      const stories = call(newTenant());
      expect(await record(...stories)).toEqual({ legs: 3, sessions: 1 });
      expect(await record(...stories)).toEqual({ legs: 0, sessions: 0 });
    });

    it('are of one tenant, also when another names the same session', async () => {
      const [one, other] = [newTenant(), newTenant()];
      const stories = call(one);
      const stranger = { ...stories[0]!, tenant: other, leg: 'x', epoch: `e-${++count}`, caller: 'stranger' };
      await record(...stories, stranger);
      const session = stories[0]!.session!;
      expect((await reader.session(one, session))?.legs).toHaveLength(3);
      expect((await reader.session(other, session))?.session).toMatchObject({ caller: 'stranger', legs: 1 });
      expect(await reader.session('nobody', session)).toBeUndefined();
    });

    it('know a leg the mesh did not place, and make no session of it', async () => {
      const tenant = newTenant();
      await record({ ...call(tenant)[0]!, session: '' });
      expect(await legs({ tenantId: tenant })).toHaveLength(1);
      expect(await sessions({ tenantId: tenant })).toEqual([]);
    });

    it('follow a leg that turns out to be of another session', async () => {
      const tenant = newTenant();
      const [first] = call(tenant);
      const late = { ...eventOf(first!, 'hangup', 9_000), reconciled: true, summary: undefined };
      await recorder.record(tell([late]));
      const moved = { ...first!, session: newSession() };
      await record(moved);
      expect((await sessions({ tenantId: tenant })).map(({ sessionId }) => sessionId)).toEqual([
        moved.session,
      ]);
    });

    it('give back any text that a caller may be named', async () => {
      const tenant = newTenant();
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (caller) => {
          const story = { ...call(tenant)[0]!, caller: `n${caller}` };
          await record(story);
          const { session } = (await reader.session(tenant, story.session!))!;
          expect(session.caller).toBe(`n${caller}`.replaceAll('\0', '').slice(0, 255).toWellFormed());
        }),
        { numRuns: 50 },
      );
    });

    it('come in pages that hold every row once, newest first, also of one moment', async () => {
      const tenant = newTenant();
      const stories = Array.from({ length: 25 }, (_, n) =>
        call(tenant, { created: Math.floor(n / 5) * 1_000 }),
      );
      await record(...stories.flat());
      const seen: string[] = [];
      let after: string[] | undefined;
      for (;;) {
        const page = await sessions({ tenantId: tenant, limit: 7, ...(after && { after }) });
        seen.push(...page.map(({ sessionId }) => sessionId));
        const last = page.at(-1);
        if (!last) break;
        after = [last.startedAt.toISOString(), last.sessionId, last.tenantId];
      }
      expect(new Set(seen).size).toBe(25);
      expect(seen).toEqual(stories.map(([story]) => story!.session).toReversed());
      const pages = [await legs({ tenantId: tenant, limit: 40 })];
      const { startedAt, legUuid, nodeEpoch } = pages[0]!.at(-1)!;
      pages.push(await legs({ tenantId: tenant, after: [startedAt.toISOString(), legUuid, nodeEpoch] }));
      expect(new Set(pages.flat().map(legKey)).size).toBe(75);
      expect(pages.flat()).toHaveLength(75);
    });

    it('are found by time, number, outcome and node', async () => {
      const tenant = newTenant();
      const [early, late] = [call(tenant), call(tenant, { created: 60_000, node: `n-${count}` })];
      const [busy] = call(tenant, { created: 120_000, caller: '+4930999', callee: '+4930999' });
      const failed = { ...busy!, answered: undefined, cause: 'USER_BUSY' } as unknown as Story;
      await record(...early, ...late, failed);
      const found = async (page: Partial<Page>, filter = {}) =>
        (await sessions({ tenantId: tenant, ...page }, filter)).map(({ sessionId }) => sessionId);
      const [first, second, third] = [early[0]!.session, late[0]!.session, failed.session];
      expect(await found({})).toEqual([third, second, first]);
      expect(await found({ from: at(60_000) })).toEqual([third, second]);
      expect(await found({ until: at(60_000) })).toEqual([first]);
      expect(await found({}, { party: '+4930999' })).toEqual([third]);
      expect(await found({}, { party: '200' })).toEqual([second, first]);
      expect(await found({ limit: 1 }, { party: '200' })).toEqual([second]);
      expect(await found({}, { party: 'nobody' })).toEqual([]);
      expect(await found({}, { disposition: Disposition.DISPOSITION_BUSY })).toEqual([third]);
      expect(await legs({ tenantId: tenant }, late[0]!.node)).toHaveLength(3);
      expect(await legs({ tenantId: tenant, from: at(60_000), until: at(61_000) })).toHaveLength(3);
    });

    it('are removed when they are too old, a step at a time, and the others stay', async () => {
      const tenant = newTenant();
      const year = 365 * 24 * 3_600_000;
      const old = Array.from({ length: 260 }, (_, n) => call(tenant, { created: n - year }));
      const [young] = [call(tenant, { created: year })];
      await record(...old.flat(), ...young);
      const steps: number[] = [];
      for (;;) {
        const removed = await keeper.trim(at(-year / 2));
        if (removed === 0) break;
        steps.push(removed);
      }
      expect(steps.length).toBeGreaterThan(1);
      expect(Math.max(...steps)).toBeLessThanOrEqual(1_500);
      expect(await sessions({ tenantId: tenant })).toHaveLength(1);
      expect(await legs({ tenantId: tenant })).toHaveLength(3);
    });

    it('end what lived on a node whose life is over, when that was last heard of', async () => {
      const tenant = newTenant();
      const common = { tenant, session: newSession(), node: `lost-${count}`, epoch: `life-1-${count}` };
      const alive: Story = { ...common, leg: 'a', created: 0, answered: 2_000 };
      const ended: Story = {
        ...common,
        leg: 'b',
        created: 10,
        outbound: true,
        answered: 1_990,
        ended: 5_000,
      };
      await record(alive, ended);
      expect((await sessions({ tenantId: tenant }))[0]).toMatchObject({ endedAt: null, talkMs: 0 });
      expect((await keeper.endedLives()).filter(({ nodeId }) => nodeId === common.node)).toEqual([]);

      await record({ ...call(tenant, { created: 90_000, node: common.node })[0]! });
      const [life] = (await keeper.endedLives()).filter(({ nodeId }) => nodeId === common.node);
      expect(life).toEqual({ nodeId: common.node, nodeEpoch: common.epoch });
      await recorder.record(await keeper.ofLife(life!.nodeId, life!.nodeEpoch));
      const { session, legs: all } = (await reader.session(tenant, common.session))!;
      expect(session).toMatchObject({ endedAt: at(5_000), talkMs: 3_010, legs: 2 });
      expect(all[0]).toMatchObject({ endedAt: at(5_000), hangupCause: 'NORMAL_UNSPECIFIED' });
      expect((await keeper.endedLives()).filter(({ nodeId }) => nodeId === common.node)).toEqual([]);

      // It was not over after all, and its end is told.
      await record({ ...alive, ended: 30_000, endedBy: 'far' });
      expect((await sessions({ tenantId: tenant, until: at(1) }))[0]).toMatchObject({
        endedAt: at(30_000),
        endedBy: 'caller',
      });
    });

    it('end what nobody told the end of for a day', async () => {
      const tenant = newTenant();
      const story: Story = { ...call(tenant)[0]!, ended: undefined } as unknown as Story;
      await record(story);
      const found = async (before: number) =>
        (await keeper.forgotten(new Date(before))).filter(({ tenantId }) => tenantId === tenant);
      expect(await found(BEGIN)).toEqual([]);
      expect(await found(BEGIN + 1)).toMatchObject([{ endedAt: at(3_010) }]);
    });

    it('keep each refusal once', async () => {
      const tenantId = newTenant();
      const refusal = { at: at(0), tenantId, what: 'cdr', code: 'tenant_forbidden', actor: 'crm' };
      const rest = { ...refusal, observer: 'call-control-1', detail: 'crm may not act for it' };
      const one = { id: `one-${count}`, ...rest };
      expect(await recorder.recordRefusals([one])).toBe(1);
      expect(await recorder.recordRefusals([one, one, { ...one, id: `two-${count}`, at: at(5) }])).toBe(1);
      const page = { tenantId, limit: 10 };
      const all = await reader.refusals(page);
      expect(all).toEqual([{ ...one, id: `two-${count}`, at: at(5) }, one]);
      const [newest] = all;
      expect(await reader.refusals({ ...page, after: [at(5).toISOString(), newest!.id] })).toEqual([one]);
    });

    it('of a tandem alone are made of its legs until a media node tells', async () => {
      const tenant = newTenant();
      const [a, b] = call(tenant);
      await record({ ...b!, role: NodeRole.NODE_ROLE_TANDEM, node: 'fs-tandem-1' });
      expect((await sessions({ tenantId: tenant }))[0]).toMatchObject({ nodeIds: ['fs-tandem-1'], legs: 1 });
      await record({ ...a!, session: b!.session! });
      expect((await sessions({ tenantId: tenant }))[0]).toMatchObject({ nodeIds: ['fs-media-a1'], legs: 1 });
    });
  });
}

function byKey(a: Leg, b: Leg): number {
  return legKey(a) < legKey(b) ? -1 : 1;
}
