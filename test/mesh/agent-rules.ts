import { performance } from 'node:perf_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AgentStage, type Page, ROUTERS } from './agent-stage.ts';
import type { ServerKind } from './call-stage.ts';

const AGENTS = 500;
const CALLED = 50;
/** Who comes back at once; AGENTS=2000 is what one door is sized for, fewer show the same. */
const BACK = Number(process.env.AGENTS ?? 200);
const [DOOR, OTHER] = ['kama-wss-1', 'kama-wss-2'];

/** Agents by the hundred, whoever keeps their registrations and carries their calls. */
export function agentRules(title: string, server: ServerKind): void {
  describe(title, () => {
    let stage: AgentStage;
    const pages: Page[] = [];
    beforeAll(async () => {
      stage = await AgentStage.start(server, Math.max(AGENTS, BACK), { REGISTER_RATE: '500' });
    }, 180_000);
    afterEach(() => {
      for (const { peer } of pages.splice(0)) peer.drop();
    });
    afterAll(() => stage?.stop());

    async function comeIn(count: number, door = DOOR): Promise<void> {
      pages.push(...(await Promise.all(Array.from({ length: count }, (_, n) => stage.comeIn(n, door)))));
    }

    /** Calls one agent in ten at once, and ends what they answered; how long each waited until it rang, ms. */
    async function callAll(count = CALLED): Promise<number[]> {
      const began = performance.now();
      const called = Array.from({ length: count }, (_, i) => pages[(i * AGENTS) / CALLED]!);
      const rung = called.map((one) => stage.rings(one));
      const calls = await Promise.all(called.map(({ n }) => stage.dial(n)));
      const outcomes = await Promise.all(calls.map(({ outcome }) => outcome));
      expect(outcomes.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
      await Promise.all(calls.map((call) => call.bye()));
      return (await Promise.all(rung)).map((at) => at - began);
    }

    it(`${CALLED} of ${AGENTS} whose router is killed ring within 2 s, and none is lost`, async () => {
      const together = await stage.alone('fs-router-1');
      await comeIn(AGENTS);
      await stage.until('all are registered there', { routerId: 'fs-router-1' }, AGENTS);
      await together();
      // Nobody is judged by the first calls of its life.
      for (let i = 0; i < 20; i++) await callAll(2);
      const usual = Math.max(...(await callAll()));
      await stage.world.mesh.node('fs-router-1').server.kill();
      const waited = Math.max(...(await callAll()));
      console.log(`rang within ${Math.round(waited)} ms; while both were there, ${Math.round(usual)}`);
      // A machine that is too busy for 2 s is so with both routers, too.
      expect(waited).toBeLessThan(Math.max(2_000, 2 * usual));
      // Still known, all of them, and whoever registers again is with the router that is left.
      expect(await stage.registrations({})).toHaveLength(AGENTS);
      const moved = pages.slice(0, 20);
      await Promise.all(moved.map(({ agent }) => agent.register()));
      await stage.until('they moved', { routerId: 'fs-router-2' }, moved.length);
      await stage.world.mesh.node('fs-router-1').server.start();
    }, 90_000);

    it('are forgotten at once by a closed socket, and by a door that began anew, and by nothing else', async () => {
      await stage.until('who was here before has gone', {}, 0);
      await comeIn(20);
      const others = await Promise.all([20, 21].map((n) => stage.comeIn(n, OTHER)));
      pages.push(...others);
      await stage.until('all are known', {}, 22);
      pages[0]!.peer.drop();
      await stage.until('who closed is gone', { edgeId: DOOR }, 19);
      const { edge } = stage.world.mesh.door(DOOR);
      await edge.process.kill();
      await edge.process.start();
      await stage.until('nobody is behind the door that died', { edgeId: DOOR }, 0);
      await stage.until('the others are', { edgeId: OTHER }, 2);
      // Back by the same page, or at the other door.
      const back = [await stage.comeIn(1, DOOR, pages[1]), await stage.comeIn(2, OTHER, pages[2])];
      pages.push(...back);
      await stage.until('who is back is known once', {}, 4);
    }, 60_000);

    it(`${BACK} whose door is killed are back within 30 s, shared out over the routers, and none is known twice`, async () => {
      await stage.until('who was here before has gone', {}, 0);
      await comeIn(BACK);
      await stage.until('all are known', {}, BACK, 30_000);
      const { process } = stage.world.mesh.door(DOOR).edge;
      const before = pages.splice(0);
      await process.kill();
      const began = performance.now();
      await process.start();
      pages.push(...(await Promise.all(before.map((one) => stage.comeIn(one.n, DOOR, one)))));
      const took = performance.now() - began;
      console.log(`${BACK} were back within ${Math.round(took)} ms`);
      expect(took).toBeLessThan(30_000);
      await stage.until('each is known once', {}, BACK);
      const all = await stage.registrations({});
      expect(new Set(all.map(({ aor }) => aor)).size).toBe(BACK);
      // All by flows of the door's new life, and half of them at each of two routers.
      const lives = all.map(({ path }) => /;op=[^;]*~([0-9a-f]{8});/.exec(path[0] ?? '')?.[1]);
      expect(new Set(lives).size).toBe(1);
      for (const routerId of ROUTERS)
        expect(all.filter((one) => one.routerId === routerId).length).toBeLessThan(BACK * 0.6);
    }, 120_000);
  });
}
