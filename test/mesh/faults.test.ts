import { eventually, type Process } from '@callmesh/local';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mediaNodes, tenants, World } from './world.ts';

const RATE = 50;
const SECONDS = 6;
const [tenant] = tenants(1, ['red'], 5) as [ReturnType<typeof tenants>[0]];

let world: World;
beforeAll(async () => {
  world = await World.start([tenant], { nodes: mediaNodes('red', 3), replicas: { policy: 2 } });
}, 90_000);
afterAll(() => world.stop());

/** Calls at 50 a second for six seconds; `accident` happens in the second second, `repair` in the fourth. */
async function under(
  accident: () => Promise<void> | void,
  repair: () => Promise<void> | void,
): Promise<void> {
  const pbx = await world.pbx(tenant);
  const at = (second: number, act: () => Promise<void> | void) =>
    new Promise<void>((resolve, reject) =>
      setTimeout(() => Promise.resolve(act()).then(resolve, reject), second * 1000),
    );
  const [batch] = await Promise.all([
    pbx.run({ count: RATE * SECONDS, rate: RATE, holdMs: 500, call: () => world.to(tenant) }),
    at(1.5, accident),
    at(3.5, repair),
  ]);
  expect(batch.failed).toEqual([]);
  expect(batch.completed).toBe(RATE * SECONDS);
}

const policies = () => [world.mesh.service('policy-1'), world.mesh.service('policy-2')];
const each = (all: Process[], act: (one: Process) => Promise<void> | void) => async () => {
  await Promise.all(all.map(act));
};
const start = (one: Process) => one.start().then(() => {});

describe('0 calls are lost at 50 a second while', () => {
  // Each starts from a mesh that is well, so that a failure names the accident that made it.
  afterEach(async () => {
    for (const one of policies()) {
      await eventually(
        async () => {
          const health = (await (await fetch(`http://${one.ready.http}/health`)).json()) as {
            status: string;
          };
          return health.status === 'ok';
        },
        `${one.name} is well again`,
        20_000,
      );
    }
  }, 60_000);

  it('one policy instance is killed and restarted', () =>
    under(
      () => policies()[0]!.kill(),
      () => start(policies()[0]!),
    ));

  it('every policy instance is killed and restarted', () =>
    under(
      each(policies(), (one) => one.kill()),
      each(policies(), start),
    ));

  it('one policy instance is frozen', () =>
    under(
      () => policies()[0]!.freeze(),
      () => policies()[0]!.thaw(),
    ));

  it('every policy instance is frozen', () =>
    under(
      each(policies(), (one) => one.freeze()),
      each(policies(), (one) => one.thaw()),
    ));

  it.each(['etcd', 'nats'] as const)('%s is killed and restarted', (name) =>
    under(
      () => world.mesh[name].process.kill(),
      () => start(world.mesh[name].process),
    ),
  );

  it.each(['session-cache-1', 'tenant-registry-1', 'state-1'])('%s is killed and restarted', (name) =>
    under(
      () => world.mesh.service(name).kill(),
      () => start(world.mesh.service(name)),
    ),
  );

  it.each(['etcd', 'nats'] as const)('%s is frozen', (name) =>
    under(
      () => world.mesh[name].process.freeze(),
      () => world.mesh[name].process.thaw(),
    ),
  );

  it('every service and store but policy is away, and policy itself starts anew from its last snapshot', async () => {
    const { mesh } = world;
    const others = ['session-cache-1', 'tenant-registry-1', 'state-1'].map((name) => mesh.service(name));
    const away = [...others, mesh.etcd.process, mesh.nats.process];
    await under(
      async () => {
        await Promise.all(away.map((one) => one.kill()));
        await mesh.service('policy-1').restart();
      },
      async () => {
        await Promise.all([mesh.etcd.process.start(), mesh.nats.process.start()]);
        await Promise.all(others.map(start));
      },
    );
  });
});
