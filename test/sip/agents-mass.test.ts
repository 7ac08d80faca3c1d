import { describe, expect, it } from 'vitest';
import { hash32 } from '../../services/policy/src/domain/hash.ts';
import type { NodeRow } from '../../services/policy/src/domain/node-table.ts';
import { hash } from '../../services/policy/src/domain/strategies/hash.ts';
import { Agent, alice } from './agent.ts';
import { acceptAgent, agentsStage } from './agents-stage.ts';
import { digestParameters } from './credentials.ts';
import { header } from './message.ts';
import { page, WebPeer } from './web-peer.ts';

/** What one edge is sized for. */
const AGENTS = 2_000;
const ROUTERS = ['fs-router-1', 'fs-router-2', 'fs-router-3', 'fs-router-4'];
/** Which of them keeps an address of record, as policy decides it. */
const keeper = (aor: string) =>
  hash.pick(
    ROUTERS.map((id) => ({ id, weight: 1, seed: hash32(id) }) as NodeRow),
    { key: aor, last: undefined, random: Math.random },
  ).id;
/** A tenth of them a second. */
const RATE = AGENTS / 10;

describe('a door that all agents come back to at once', () => {
  const s = agentsStage(() => ({ REGISTER_RATE: String(RATE), TCP_CHILDREN: '2' }));

  /** One that connects and registers until it is let in, again when it is told, as a browser's page does. */
  async function comeBack(n: number): Promise<number> {
    const peer = await connected(`127.0.2.${1 + (n % 50)}`);
    const agent = new Agent(peer, s.door, { ...alice, user: `agent-${n}` });
    for (let attempts = 1; ; attempts++) {
      const challenge = await agent.attempt({}, undefined, 1, 20_000);
      const reply = challenge.status === 401 ? await agent.attempt({}, challenge, 1, 20_000) : challenge;
      if (reply.status === 200) return attempts;
      expect(reply.status).toBe(503);
      await seconds(Number(header(reply, 'Retry-After')));
    }
  }

  /** Kamailio gives up a connection that no worker has taken after two seconds: then it is made anew. */
  async function connected(localAddress: string): Promise<WebPeer> {
    for (let tries = 1; ; tries++) {
      try {
        return await WebPeer.open(`ws://127.0.0.1:${s.door.port}`, { localAddress });
      } catch (error) {
        if (tries === 5) throw error;
        await seconds(1);
      }
    }
  }

  const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1000));

  it(`has ${AGENTS} of them within 30 s, also after a crash, and each router is given its share, and all no more than their rate`, async () => {
    const routers = await Promise.all(ROUTERS.map(() => s.router()));
    const perSecond = new Map<number, number>();
    s.policy.script = ({ path, body }) => {
      const second = Math.floor(Date.now() / 1000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
      const { username = '' } = digestParameters(String(body.authorization));
      const router = routers[ROUTERS.indexOf(keeper(`${username}@acme.example`))]!;
      return acceptAgent({ ...alice, user: username }, path, [router]);
    };
    for (const life of ['first', 'second']) {
      perSecond.clear();
      const started = Date.now();
      const attempts = await Promise.all(Array.from({ length: AGENTS }, (_, n) => comeBack(n)));
      const took = (Date.now() - started) / 1000;
      console.log(
        `${life}: ${AGENTS} agents in ${took.toFixed(1)} s, ${attempts.reduce((a, b) => a + b)} attempts, at most ${Math.max(...perSecond.values())} a second`,
      );
      expect(took).toBeLessThan(30);
      // Who has a challenge already is let in twice as fast as who only begins.
      for (const count of perSecond.values()) expect(count).toBeLessThanOrEqual(2 * RATE);
      const bindings = routers.flatMap((router) => router.bindings);
      expect(new Set(bindings.map(({ aor }) => aor)).size).toBe(AGENTS);
      expect(bindings).toHaveLength(AGENTS);
      for (const router of routers)
        expect(router.bindings.length).toBeLessThan((1.25 * AGENTS) / ROUTERS.length);
      if (life === 'second') break;
      await s.edge.kill();
      for (const router of routers) router.bindings = [];
      await s.edge.begin();
      await s.edge.nodes(routers.map(({ key }) => key));
      await s.edge.policies([s.policy.url]);
      await s.edge.rpc('htable.sets', ['origins', page, '1']);
    }
  });
}, 120_000);
