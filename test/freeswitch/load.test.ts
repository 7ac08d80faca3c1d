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
/** A report may be this old when state is asked: agents tell changes at once, coalesced to 100 ms. */
const REPORTED_MS = 1_000;
const SAMPLE_MS = 25;

/** How many sessions a FreeSWITCH says it has, many times a second. */
class Count {
  readonly #samples: { readonly asked: number; readonly at: number; readonly sessions: number }[] = [];
  readonly #connection: EslConnection;
  #running = true;

  private constructor(connection: EslConnection) {
    this.#connection = connection;
    void this.#sample();
  }

  static async of(esl: { port: number; password: string }): Promise<Count> {
    return new Count(await EslConnection.open({ host: '127.0.0.1', ...esl }, { onEvent() {}, onClose() {} }));
  }

  /** Whether FreeSWITCH had so many within the time a report takes: it passes through all between two samples. */
  had(sessions: number): boolean {
    const { least, most } = this.#lately();
    return least <= sessions && sessions <= most;
  }

  toString(): string {
    const { least, most } = this.#lately();
    return `${least} to ${most}`;
  }

  #lately(): { least: number; most: number } {
    const since = performance.now() - REPORTED_MS;
    const counts = this.#samples.filter(({ at }) => at > since).map(({ sessions }) => sessions);
    return { least: Math.min(...counts), most: Math.max(...counts) };
  }

  /** Resolves once FreeSWITCH was asked anew. */
  async next(): Promise<void> {
    const now = performance.now();
    await eventually(() => this.#samples.some(({ asked }) => asked > now), 'FreeSWITCH answers');
  }

  stop(): void {
    this.#running = false;
    this.#connection.close();
  }

  async #sample(): Promise<void> {
    while (this.#running) {
      const asked = performance.now();
      const status = await this.#connection.api('status').catch(() => '');
      const sessions = /^(\d+) session\(s\) - peak/m.exec(status)?.[1];
      if (sessions) this.#samples.unshift({ asked, at: performance.now(), sessions: Number(sessions) });
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
  }
}

describeReal(`${RATE} calls a second for ${SECONDS} s through two real fs-media`, () => {
  let world: World;
  let state: StateServiceClient;
  let postgres: TestPostgres | undefined;
  const counts = new Map<string, Count>();
  beforeAll(async () => {
    const nodes = mediaNodes('red', IDS.length, { server: 'freeswitch', max: 1_000 });
    postgres = await startPostgres();
    const records = postgres && { database: { url: postgres.createDatabase('records') } };
    const replicas = { policy: 2, 'call-control': 1 };
    world = await World.start([TENANT], { nodes, replicas, ...(records && { callControl: records }) });
    state = world.mesh.client(StateServiceClient, 'state-1');
    for (const id of IDS) counts.set(id, await Count.of(world.mesh.node(id).esl));
  }, 180_000);
  afterAll(async () => {
    for (const count of counts.values()) count.stop();
    await world?.stop();
    await postgres?.stop();
  });

  /** What state counts on each node. */
  async function counted(): Promise<Map<string, number | undefined>> {
    const { nodes } = await call(state, 'listNodes', { role: 'NODE_ROLE_UNSPECIFIED', group: '' });
    return new Map(nodes.map(({ node, load }) => [node?.id ?? '', load?.sessions]));
  }

  /** Where state's count is one FreeSWITCH itself did not have lately. */
  async function disagreements(): Promise<string[]> {
    const told = await counted();
    await Promise.all([...counts.values()].map((count) => count.next()));
    return IDS.flatMap((id) => {
      const [sessions, own] = [told.get(id) ?? -1, counts.get(id)!];
      return own.had(sessions) ? [] : [`${id}: state ${sessions}, FreeSWITCH ${own}`];
    });
  }

  it(
    'loses none, and counts at every second as FreeSWITCH does, down to nothing at the end',
    async () => {
      const pbx = await world.pbx(TENANT);
      const wrong: string[] = [];
      const running = pbx.run({
        count: RATE * SECONDS,
        rate: RATE,
        holdMs: HOLD_MS,
        call: () => world.to(TENANT),
      });
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
        return IDS.every((id) => told.get(id) === 0 && `${counts.get(id)}` === '0 to 0');
      }, 'state and FreeSWITCH both count nothing');
    },
    (SECONDS + 60) * 1_000,
  );
});
