import { eventually } from '@callmesh/local';
import { StateServiceClient } from '@callmesh/proto/state';
import { call } from '@callmesh/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EslConnection } from '../../services/node-agent/src/adapters/esl/connection.ts';
import { mediaNodes, type TestTenant, World } from '../mesh/world.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { describeReal } from './lab.ts';

const TENANT: TestTenant = {
  ...{ id: 'acme', host: '127.0.45.1', group: 'red', number: '+4930100100' },
  destination: { destination_kind: 'announcement', destination: 'tone_stream://%(1000,0,425);loops=60' },
  tenant: { max_cps: 0 },
};
const IDS = ['fs-red-1', 'fs-red-2'];
const [RATE, SECONDS, HOLD_MS] = [50, 60, 1_000];
/** Calls before those that count: services that have just started are slow for a while. */
const WARM_UP = { count: 150, rate: 15 };
/** What state counts is never older than a heartbeat of FreeSWITCH, however busy the machine. */
const REPORTED_MS = 2_000;

/** How many sessions a FreeSWITCH had, at every moment: it tells of each that begins and ends. */
class Count {
  readonly #changes: { readonly at: number; readonly sessions: number }[] = [{ at: -1, sessions: 0 }];
  readonly #connection: Promise<EslConnection>;

  constructor(esl: { port: number; password: string }) {
    const onEvent = ({ name }: { readonly name: string }) => {
      const sessions = this.sessions + (name === 'CHANNEL_CREATE' ? 1 : -1);
      this.#changes.unshift({ at: performance.now(), sessions });
    };
    this.#connection = EslConnection.open({ host: '127.0.0.1', ...esl }, { onEvent, onClose() {} });
  }

  async start(): Promise<void> {
    await (await this.#connection).subscribe(['CHANNEL_CREATE', 'CHANNEL_DESTROY']);
  }

  async stop(): Promise<void> {
    (await this.#connection).close();
  }

  get sessions(): number {
    return this.#changes[0]!.sessions;
  }

  /** What it had within the time a report takes, newest first. */
  lately(): number[] {
    const since = performance.now() - REPORTED_MS;
    const before = this.#changes.findIndex(({ at }) => at < since);
    return this.#changes.slice(0, before + 1).map(({ sessions }) => sessions);
  }

  /** What it answers when asked. It counts a session shortly before it tells of it. */
  async asked(): Promise<number> {
    const status = await (await this.#connection).api('status');
    const sessions = Number(/^(\d+) session\(s\) - peak/m.exec(status)?.[1] ?? Number.NaN);
    await eventually(() => this.lately().includes(sessions), `it tells of as many as it counts, ${sessions}`);
    return sessions;
  }
}

describeReal(`${RATE} calls a second for ${SECONDS} s through two real fs-media`, () => {
  let world: World;
  let state: StateServiceClient;
  let postgres: TestPostgres | undefined;
  const counts = new Map<string, Count>();
  beforeAll(async () => {
    // What keeping legs for a takeover costs is more than two cores have left, with mesh, FreeSWITCH and callers on them.
    const nodes = mediaNodes('red', IDS.length, { server: 'freeswitch', max: 1_000, takeover: false });
    postgres = await startPostgres();
    const records = postgres && { database: { url: postgres.createDatabase('records') } };
    const replicas = { policy: 2, 'call-control': 1 };
    world = await World.start([TENANT], { nodes, replicas, ...(records && { callControl: records }) });
    state = world.mesh.client(StateServiceClient, 'state-1');
    for (const id of IDS) counts.set(id, new Count(world.mesh.node(id).esl));
    await Promise.all([...counts.values()].map((count) => count.start()));
  }, 180_000);
  afterAll(async () => {
    await Promise.all([...counts.values()].map((count) => count.stop()));
    await world?.stop();
    await postgres?.stop();
  });

  /** What state counts on each node. */
  async function counted(): Promise<Map<string, number | undefined>> {
    const { nodes } = await call(state, 'listNodes', { role: 'NODE_ROLE_UNSPECIFIED', group: '' });
    return new Map(nodes.map(({ node, load }) => [node?.id ?? '', load?.sessions]));
  }

  /** Where state counts what FreeSWITCH did not have lately. */
  async function disagreements(): Promise<string[]> {
    const [told] = await Promise.all([counted(), ...IDS.map((id) => counts.get(id)!.asked())]);
    return IDS.flatMap((id) => {
      const [sessions, had] = [told.get(id) ?? -1, counts.get(id)!.lately()];
      return had.includes(sessions) ? [] : [`${id}: state ${sessions}, FreeSWITCH ${had.join(' ')}`];
    });
  }

  it(
    'loses none, and counts at every second as FreeSWITCH does, down to nothing at the end',
    async () => {
      const pbx = await world.pbx(TENANT);
      const wrong: string[] = [];
      const calls = { holdMs: HOLD_MS, call: () => world.to(TENANT) };
      expect((await pbx.run({ ...WARM_UP, ...calls })).failed).toEqual([]);
      const running = pbx.run({ count: RATE * SECONDS, rate: RATE, ...calls });
      let over = false;
      running.finally(() => {
        over = true;
      });
      for (let second = 1; !over; second++) {
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        wrong.push(...(await disagreements()).map((what) => `after ${second} s ${what}`));
      }
      const batch = await running;
      expect(batch.failed).toEqual([]);
      expect(batch.completed).toBe(RATE * SECONDS);
      expect(wrong).toEqual([]);
      const shares = IDS.map((id) => batch.byNode.get(world.mesh.node(id).sip) ?? 0);
      expect(Math.abs(shares[0]! - shares[1]!)).toBeLessThan(RATE * SECONDS * 0.05);
      await eventually(async () => {
        const told = await counted();
        return IDS.every((id) => told.get(id) === 0 && counts.get(id)!.sessions === 0);
      }, 'state and FreeSWITCH both count nothing');
      for (const count of counts.values()) expect(await count.asked()).toBe(0);
    },
    (SECONDS + 60) * 1_000,
  );
});
