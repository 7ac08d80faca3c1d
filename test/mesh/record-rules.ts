import { eventually } from '@callmesh/local';
import { AuditServiceClient } from '@callmesh/proto/audit';
import {
  CdrServiceClient,
  Disposition,
  type GetSessionResponse,
  ListSessionsRequest,
} from '@callmesh/proto/cdr';
import { call as ask } from '@callmesh/runtime';
import { describe, expect, it } from 'vitest';
import { type CallStage, GLOBEX_TOKEN, NUMBERS } from './call-stage.ts';
import { Platform } from './platform.ts';

/** Call detail records, and records of what was refused. */
export function recordRules(staged: () => CallStage): void {
  describe('its records', () => {
    const cdr = (token?: string) => staged().world.mesh.client(CdrServiceClient, 'call-control-1', token);

    /** A session's record, once all its legs have ended. */
    const recorded = (sessionId: string): Promise<GetSessionResponse> =>
      eventually(async () => {
        const found = await ask(cdr(), 'getSession', { tenantId: 'acme', sessionId });
        return found.session?.endedAt ? found : undefined;
      }, `session ${sessionId} is recorded`);

    it('have one row for a session that was answered, and one for each of its legs', async () => {
      const stage = staged();
      const { call, callee, leg } = await stage.connected();
      call.hangUp();
      await stage.ended(callee);
      const { session, legs } = await recorded(leg.sessionId);
      expect(session).toMatchObject({
        disposition: Disposition.DISPOSITION_ANSWERED,
        ...{ tenantId: 'acme', callee: NUMBERS.extension, endedBy: 'caller', legs: 2, transferred: false },
        nodeIds: [leg.nodeId],
      });
      expect(legs.map(({ outbound }) => outbound)).toEqual([false, true]);
      for (const { disposition, summary } of legs) {
        expect(disposition).toBe(Disposition.DISPOSITION_ANSWERED);
        expect(summary?.answeredAt).toBeDefined();
      }
    });

    it.each([
      [486, Disposition.DISPOSITION_BUSY],
      [503, Disposition.DISPOSITION_FAILED],
    ])('tell what became of a caller whose called one answers %i', async (status, disposition) => {
      const stage = staged();
      stage.pbx.onCall = (call) => call.refuse(status);
      const call = await stage.dial(NUMBERS.extension);
      await stage.ended(call);
      expect(call.status).toBe(status);
      const { session } = await recorded((await stage.created(call)).sessionId);
      expect(session).toMatchObject({ disposition, answeredAt: undefined });
    });

    it('tell of a caller who gave up', async () => {
      const stage = staged();
      stage.pbx.onCall = (call) => call.ring();
      const call = await stage.dial(NUMBERS.extension);
      await eventually(() => call.statuses.includes(180), 'it rings');
      call.hangUp();
      const { session } = await recorded((await stage.created(call)).sessionId);
      expect(session?.disposition).toBe(Disposition.DISPOSITION_CANCELLED);
      expect(session?.endedBy).toBe('caller');
    });

    it('tell of somebody who did not answer', async () => {
      const stage = staged();
      stage.pbx.onCall = (call) => call.ring();
      const { leg } = await stage.platform.do('originate', {
        ...{ tenantId: 'acme', timeoutS: 1 },
        destination: { target: { $case: 'trunk', value: 'acme-pbx/204' } },
      });
      const { session } = await recorded(leg!.sessionId);
      expect(session?.disposition).toBe(Disposition.DISPOSITION_NO_ANSWER);
    });

    it('tell of a transfer', async () => {
      const stage = staged();
      const { call, callee, leg } = await stage.connected();
      const destination = { target: { $case: 'trunk', value: 'acme-pbx/205' } } as const;
      await stage.platform.do('transferBlind', { leg: stage.platform.leg(leg), destination });
      await stage.ended(callee);
      await eventually(() => stage.pbx.calls.length === 2, 'the next one is called');
      const connections = () => stage.platform.of(leg).filter((event) => event === 'bridged').length;
      await eventually(() => connections() === 2, 'the caller is connected once more');
      call.hangUp();
      const { session, legs } = await recorded(leg.sessionId);
      expect(session).toMatchObject({ transferred: true, legs: 3 });
      expect(legs.filter(({ outbound }) => outbound).length).toBe(2);
    });

    it("are the tenant's own: another's questions are refused, and that is recorded too", async () => {
      const stage = staged();
      const { call, leg } = await stage.controlled();
      const forbidden = expect.objectContaining({ code: 'tenant_forbidden' });
      const stranger = new Platform(stage.world.mesh, 'globex', { token: GLOBEX_TOKEN });
      const since = new Date();
      const mine = ListSessionsRequest.fromPartial({ tenantId: 'acme' });
      await expect(ask(cdr(GLOBEX_TOKEN), 'listSessions', mine)).rejects.toEqual(forbidden);
      await expect(stranger.do('hangUp', { leg: stage.platform.leg(leg) })).rejects.toEqual(forbidden);
      const spying = new Platform(stage.world.mesh, 'acme', { token: GLOBEX_TOKEN });
      const audit = stage.world.mesh.client(AuditServiceClient, 'call-control-1');
      const refusals = await eventually(async () => {
        const asked = { tenantId: 'acme', from: since, until: undefined, pageSize: 0, pageToken: '' };
        const { events } = await ask(audit, 'listRefusals', asked);
        return events.length >= 3 ? events : undefined;
      }, 'three refusals are recorded');
      expect(refusals.map(({ what }) => what).toSorted()).toEqual(['cdr', 'command', 'events']);
      expect(new Set(refusals.map(({ actor }) => actor))).toEqual(new Set(['globex-service']));
      expect(spying.events).toEqual([]);
      expect(call.end).toBeUndefined();
      for (const end of [stranger, spying]) end.close();
    });
  });
}
