import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ACCIDENTS } from '../faults/accidents.ts';
import { isWell, under } from '../faults/row.ts';
import { mediaNodes, tenants, World } from './world.ts';

/** Calls at 50 a second for six seconds; the accident happens in the second second and ends in the fourth. */
const LOAD = { established: 0, rate: 50, seconds: 6, from: 1.5, to: 3.5 };
const [tenant] = tenants(1, ['red'], 5) as [ReturnType<typeof tenants>[0]];

let world: World;
beforeAll(async () => {
  world = await World.start([tenant], { nodes: mediaNodes('red', 3), replicas: { policy: 2 } });
}, 90_000);
afterAll(() => world.stop());

describe('0 calls are lost at 50 a second while', () => {
  afterEach(() => isWell(world), 60_000);

  it.each(ACCIDENTS.map((one) => [one.name, one] as const))('%s', async (_, accident) => {
    const batch = await under(world, tenant, accident, LOAD);
    expect(batch.failed).toEqual([]);
    expect(batch.completed).toBe(LOAD.rate * LOAD.seconds);
  });
});
