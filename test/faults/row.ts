import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '@callmesh/local';
import type { Batch, UacCall } from '@callmesh/standin/uac';
import type { TestTenant, World } from '../mesh/world.ts';
import type { Accident } from './accidents.ts';

/** The calls around an accident. */
export interface Load {
  /** Calls that live when it happens, and are to outlive it. */
  readonly established: number;
  /** New calls a second, before, meanwhile and after. */
  readonly rate: number;
  readonly seconds: number;
  /** When it happens and when it ends, seconds after the first new call. */
  readonly from: number;
  readonly to: number;
}

/** What an accident did. */
export interface Row {
  readonly accident: string;
  readonly established: number;
  /** Of these, how many were not there any more, or heard nothing of what was sent within them. */
  readonly dropped: number;
  readonly placed: number;
  /** Of these, how many were refused, or did not live until they were hung up. */
  readonly refused: number;
  /** Of new calls, milliseconds. */
  readonly setupP95: number;
  /** What does not hold, for a person. */
  readonly broken: readonly string[];
}

/** Lets an accident happen under these calls, and counts. The mesh is whole and well afterwards, or this fails. */
export async function measure(
  world: World,
  tenant: TestTenant,
  accident: Accident,
  load: Load,
): Promise<Row> {
  const live = await establish(world, tenant, load.established);
  const batch = await under(world, tenant, accident, load);
  const dropped = await count(live, async (call) => !(call.live && (await call.reinvite()).status === 200));
  await Promise.all(live.filter((call) => call.live).map((call) => call.bye()));
  await isWell(world);
  const placed = load.rate * load.seconds;
  const refused = placed - batch.completed;
  const broken = [
    ...(dropped > 0 ? [`${dropped} calls dropped`] : []),
    ...(refused > 0 ? [`${refused} new calls refused`] : []),
  ];
  const { established } = load;
  return {
    accident: accident.name,
    established,
    dropped,
    placed,
    refused,
    setupP95: batch.setupMs.p95,
    broken,
  };
}

/** New calls at a rate while it happens and ends. */
export async function under(
  world: World,
  tenant: TestTenant,
  accident: Accident,
  load: Load,
): Promise<Batch> {
  const pbx = await world.pbx(tenant);
  const { rate, seconds, from, to } = load;
  const [batch] = await Promise.all([
    pbx.run({ count: rate * seconds, rate, holdMs: 500, call: () => world.to(tenant) }),
    delay(from * 1_000).then(() => accident.happens(world.mesh)),
    delay(to * 1_000).then(() => accident.ends(world.mesh)),
  ]);
  return batch;
}

/** Each row starts from a mesh that is well, so that a failure names the accident that made it. */
export async function isWell({ mesh }: World): Promise<void> {
  for (const policy of [mesh.service('policy-1'), mesh.service('policy-2')])
    await eventually(
      async () => {
        const health = (await (await fetch(`http://${policy.ready.http}/health`)).json()) as {
          status: string;
        };
        return health.status === 'ok';
      },
      `${policy.name} is well again`,
      20_000,
    );
}

async function establish(world: World, tenant: TestTenant, count: number): Promise<UacCall[]> {
  const pbx = await world.pbx(tenant);
  const batch = await pbx.run({ count, rate: 50, holdMs: 0, call: () => world.to(tenant) });
  if (batch.completed < count) throw new Error(`only ${batch.completed} of ${count} calls came to be`);
  return batch.calls;
}

async function count<T>(all: readonly T[], is: (one: T) => Promise<boolean>): Promise<number> {
  return (await Promise.all(all.map(is))).filter(Boolean).length;
}
