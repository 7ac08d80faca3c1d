import { eventually } from '@callmesh/local';
import { describe, expect, it } from 'vitest';
import { type CallStage, TONE, VOICE } from './call-stage.ts';

const UNREACHABLE = ['unavailable', 'deadline', 'outcome_unknown'];

/** What is killed in the middle of a call, and what of the call is left: all of it. */
export function faultRules(staged: () => CallStage): void {
  describe('when what stands beside the calls is killed', () => {
    const nodeAgent = (nodeId: string) => staged().world.mesh.node(nodeId).agent;
    const replicas = () =>
      ['call-control-1', 'call-control-2'].map((name) => staged().world.mesh.service(name));
    const nats = () => staged().world.mesh.nats.process;

    /** Kills and starts again; between, the call goes on and a command fails by its deadline, with the reason. */
    async function through(
      parts: readonly { kill(): Promise<void>; start(): Promise<unknown> }[],
      meanwhile: () => Promise<void>,
    ): Promise<void> {
      for (const part of parts) await part.kill();
      await meanwhile();
      await Promise.all(parts.map((part) => part.start()));
    }

    it.each([
      ['call-control', (_: string) => replicas()],
      ['the node-agent', (node: string) => [nodeAgent(node)]],
      ['NATS', (_: string) => [nats()]],
    ])('the call stays up without %s, and is controlled again after', async (_, parts) => {
      const stage = staged();
      const { platform } = stage;
      const { call, callee, leg } = await stage.connected();
      await through(parts(leg.nodeId), async () => {
        const began = performance.now();
        const refused = await platform.do('hangUp', { leg: platform.leg(leg) }, 2_000).then(
          () => undefined,
          (error: { code: string }) => error.code,
        );
        expect(UNREACHABLE).toContain(refused);
        expect(performance.now() - began).toBeLessThan(3_000);
        await stage.hears(call, VOICE);
        await stage.hears(callee, VOICE);
      });
      // What failed is not done later either: the call is still there when control is back.
      const play = { leg: platform.leg(leg), play: { source: TONE, loops: 0 } };
      await eventually(() => platform.do('play', play).then(() => true), 'control is back', 20_000);
      await stage.hears(call, 425);
      await platform.do('hangUp', { leg: platform.leg(leg) });
      await stage.ended(call);
      await stage.ended(callee);
      await platform.told({ event: 'hangup', legUuid: leg.legUuid });
      const told = platform.of(leg);
      for (const once of ['answered', 'bridged', 'hangup'])
        expect(told.filter((event) => event === once)).toEqual([once]);
    });

    it.each([
      ['call-control', (_: string) => [replicas()[0]!]],
      ['the node-agent', (node: string) => [nodeAgent(node)]],
    ])('nobody is called twice for one command, when %s is killed while he rings', async (_, parts) => {
      const stage = staged();
      const { platform, pbx } = stage;
      const { leg } = await stage.controlled();
      pbx.onCall = (call) => call.ring();
      const order = {
        ...{ idempotencyKey: `ring-${leg.legUuid}`, tenantId: 'acme', sessionId: leg.sessionId },
        destination: { target: { $case: 'trunk', value: 'acme-pbx/206' } as const },
      };
      const first = platform.do('originate', order).catch(() => undefined);
      const callee = await stage.taken();
      await through(parts(leg.nodeId), async () => void (await first));
      // Asked again it is the same call, or nobody can say; it is not another call.
      await eventually(
        () =>
          platform.do('originate', order).then(
            ({ repeated }) => repeated,
            (error: { code: string }) => error.code === 'outcome_unknown' || error.code === 'conflict',
          ),
        'the key is known',
        20_000,
      );
      callee.answer();
      await platform.told({ event: 'answered', sessionId: leg.sessionId, outbound: true }, 20_000);
      expect(pbx.calls.length).toBe(1);
    });
  });
}
