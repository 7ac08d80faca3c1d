import { NodeRole } from '@callmesh/proto/node';
import type { MoveRequest } from '@callmesh/proto/session';
import { NodeStatus } from '@callmesh/proto/state';
import { type RecoverRequest, RecoverResponse, RecoverySnapshot } from '@callmesh/proto/takeover';
import { type App, fail, type Kept } from '@callmesh/runtime';
import { metrics } from '@opentelemetry/api';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Row } from '../domain/table.ts';
import { Takeovers } from './takeovers.ts';

const { NODE_STATUS_UP: UP, NODE_STATUS_DOWN: DOWN } = NodeStatus;

/** The bucket, in memory: replicas share it. */
class Store {
  readonly #kept = new Map<string, Kept>();
  #revision = 0;

  async put(snapshot: RecoverySnapshot): Promise<void> {
    this.#revision += 1;
    this.#kept.set(snapshot.legUuid, { snapshot, revision: this.#revision });
  }
  async replace(snapshot: RecoverySnapshot, revision: number): Promise<number | undefined> {
    if (this.#kept.get(snapshot.legUuid)?.revision !== revision) return undefined;
    await this.put(snapshot);
    return this.#revision;
  }
  async get(_: string, legUuid: string): Promise<Kept | undefined> {
    return this.#kept.get(legUuid);
  }
  async list(nodeId: string): Promise<Kept[]> {
    return [...this.#kept.values()].filter(({ snapshot }) => snapshot.life?.nodeId === nodeId);
  }
  outcomes(): string[] {
    return [...this.#kept.values()].map(({ snapshot }) => snapshot.outcome);
  }
}

/** Some calls of two legs on node a, which died, and nodes b and c. */
class Mesh {
  readonly store = new Store();
  readonly rows = new Map<string, Row>();
  /** Which life was asked to recover which legs, in order. */
  readonly asked: { heir: string; legs: readonly string[] }[] = [];
  readonly moves: MoveRequest[] = [];
  answers: (request: RecoverRequest) => Promise<RecoverResponse> = async ({ legUuids }) =>
    RecoverResponse.fromPartial({ legs: legUuids.map((legUuid) => ({ legUuid, outcome: 'resumed' })) });
  readonly #replicas: Takeovers[] = [];

  static async with(calls: number): Promise<Mesh> {
    const mesh = new Mesh();
    mesh.is('a', DOWN);
    for (const id of ['b', 'c']) mesh.is(id, UP);
    const life = { nodeId: 'a', epoch: 'a-life' };
    for (let n = 0; n < calls; n += 1)
      for (const [legUuid, otherLegUuid] of [
        [`${n}x`, `${n}y`],
        [`${n}y`, `${n}x`],
      ] as const)
        await mesh.store.put(
          RecoverySnapshot.fromPartial({ legUuid, otherLegUuid, sessionId: `s${n}`, life }),
        );
    return mesh;
  }

  is(id: string, status: NodeStatus): void {
    const node = { id, epoch: `${id}-life`, role: NodeRole.NODE_ROLE_MEDIA, group: 'red', maxSessions: 100 };
    this.rows.set(id, { status, facts: { node, load: { sessions: 0 } } } as unknown as Row);
  }

  /** A replica of state; it leads unless told otherwise. */
  async replica(leads = true): Promise<Takeovers> {
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const app = { degraded: () => {}, log, meter: metrics.getMeter('test') } as unknown as App;
    const replica = new Takeovers(app, {
      table: this,
      watchers: { listen: () => ({ close: () => {} }) },
      leader: { leads, onLead: () => {} },
      store: this.store,
      ask: (request) => {
        this.asked.push({ heir: request.heir!.nodeId, legs: request.legUuids });
        return this.answers(request);
      },
      move: async (request) => void this.moves.push(request),
    });
    this.#replicas.push(replica);
    await replica.start();
    return replica;
  }

  async stop(): Promise<void> {
    for (const replica of this.#replicas) await replica.drain();
  }
}

/** Where each call went last. */
function placesOf({ asked }: Mesh): Map<string, string> {
  return new Map(asked.flatMap(({ heir, legs }) => legs.map((leg) => [leg, heir] as const)));
}

describe('calls of a dead node', () => {
  let mesh: Mesh;
  vi.useFakeTimers();
  afterEach(() => mesh.stop());
  const aSecond = () => vi.advanceTimersByTimeAsync(1_000);

  it('are spread over those of its group, with both legs together, and their sessions move along', async () => {
    mesh = await Mesh.with(6);
    await mesh.replica();
    await aSecond();
    const places = placesOf(mesh);
    for (let n = 0; n < 6; n += 1) expect(places.get(`${n}x`)).toBe(places.get(`${n}y`));
    expect([...places.values()].filter((heir) => heir === 'b')).toHaveLength(6);
    expect(mesh.moves.map(({ sessionId }) => sessionId).sort()).toEqual(['s0', 's1', 's2', 's3', 's4', 's5']);
    expect(mesh.store.outcomes()).toEqual(Array(12).fill('resumed'));
  });

  it('are nobody else’s to take over, and are taken over once', async () => {
    mesh = await Mesh.with(2);
    await mesh.replica(false);
    await aSecond();
    expect(mesh.asked).toEqual([]);
    await mesh.replica();
    await aSecond();
    const { length } = mesh.asked;
    await aSecond();
    expect(mesh.asked).toHaveLength(length);
  });

  it('stay together when two replicas believe that they lead', async () => {
    mesh = await Mesh.with(4);
    await Promise.all([mesh.replica(), mesh.replica()]);
    await aSecond();
    for (const { heir, legs } of mesh.asked)
      for (const leg of legs) expect(placesOf(mesh).get(leg)).toBe(heir);
    expect(mesh.store.outcomes()).toEqual(Array(8).fill('resumed'));
  });

  it('stay with the heirs a leader chose that died half-way', async () => {
    mesh = await Mesh.with(4);
    const { answers } = mesh;
    mesh.answers = () => new Promise(() => {});
    const first = await mesh.replica();
    await aSecond();
    await first.drain();
    const chosen = placesOf(mesh);
    mesh.answers = answers;
    await mesh.replica();
    await aSecond();
    expect(placesOf(mesh)).toEqual(chosen);
    expect(mesh.store.outcomes()).toEqual(Array(8).fill('resumed'));
  });

  it('go to another heir when theirs dies before it has them', async () => {
    mesh = await Mesh.with(4);
    const { answers } = mesh;
    mesh.answers = async (request) => {
      if (request.heir!.nodeId === 'b') throw fail('unavailable', 'no agent of node b is there');
      return answers(request);
    };
    await mesh.replica();
    await aSecond();
    expect(mesh.store.outcomes()).toContain('');
    mesh.is('b', DOWN);
    await aSecond();
    expect(new Set(placesOf(mesh).values())).toEqual(new Set(['c']));
    expect(mesh.store.outcomes()).toEqual(Array(8).fill('resumed'));
  });

  it('wait while nobody has room, and go on at the node itself in its next life', async () => {
    mesh = await Mesh.with(1);
    for (const id of ['b', 'c']) mesh.rows.delete(id);
    await mesh.replica();
    await aSecond();
    expect(mesh.asked).toEqual([]);
    mesh.is('a', UP);
    Object.assign(mesh.rows.get('a')!.facts.node, { epoch: 'next' });
    await aSecond();
    expect(placesOf(mesh).get('0x')).toBe('a');
  });
});
