import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mediaNodes, tenants, World } from './world.ts';

const NODES = 10;
const CALLS = 1_000;
const [tenant] = tenants(1, ['red'], 6) as [ReturnType<typeof tenants>[0]];

let world: World;
beforeAll(async () => {
  world = await World.start([tenant], {
    nodes: mediaNodes('red', NODES),
    replicas: { policy: 3 },
    // This is about where calls go, not how fast: a machine that is slower than the burst shall take
    // longer over it, and not take what waits its turn for what has failed.
    knobs: { POLICY_TIMEOUT_MS: '20000', FR_TIMER_MS: '25000' },
  });
}, 180_000);
afterAll(() => world.stop());

async function decisionsOf(policy: string): Promise<number> {
  const metrics = await (await fetch(`http://${world.mesh.service(policy).ready.http}/metrics`)).text();
  return Number(/^callmesh_policy_decision_duration_seconds_count\{[^}]*\} (\d+)/m.exec(metrics)?.[1] ?? 0);
}

describe('a burst', () => {
  it('of 1,000 INVITEs in a second over 3 policy instances fills 10 equal nodes evenly', async () => {
    const pbx = await world.pbx(tenant);
    const batch = await pbx.run({ count: CALLS, rate: CALLS, holdMs: 0, call: () => world.to(tenant) });
    expect(batch.byStatus).toEqual(new Map([[200, CALLS]]));
    const counts = [...batch.byNode.values()];
    expect(counts).toHaveLength(NODES);
    expect(Math.max(...counts)).toBeLessThanOrEqual((CALLS / NODES) * 1.05);
    // All three instances decided, and Kamailio's own fallback nothing.
    const routed = await Promise.all(['policy-1', 'policy-2', 'policy-3'].map(decisionsOf));
    expect(Math.min(...routed)).toBeGreaterThan(CALLS / 6);
    expect(routed.reduce((sum, one) => sum + one, 0)).toBe(CALLS);
    await Promise.all(batch.calls.map((call) => call.bye()));
  }, 120_000);
});
