import { eventually } from '@callmesh/local';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sdp } from '../sip/message.ts';
import type { IncomingSession } from '../standin/sip/incoming.ts';
import type { SipRequest } from '../standin/sip/message.ts';
import { Uac } from '../standin/uac.ts';
import { describeReal, Lab, type LabNode } from './lab.ts';
import { dialplan } from './xml-server.ts';

const CONTACT = 'sip:a1b2@df7jal23ls0d.invalid;transport=ws';
const SESSION = { 'X-Callmesh-Session': '0123456789abcdef', 'X-Callmesh-Tenant': 'acme' };

/** What a door that has authenticated an agent sends on: the flow's token is in the Path. */
function register(
  door: Uac,
  to: string,
  more: { callId?: string; cseq?: number; contact?: string; expires?: number },
) {
  const { callId = 'r1', cseq = 1, contact = `<${CONTACT}>`, expires = 120 } = more;
  door.sendRaw(
    [
      'REGISTER sip:acme.example SIP/2.0',
      `Via: SIP/2.0/UDP ${door.address};branch=z9hG4bK${callId}${cseq}`,
      'Max-Forwards: 70',
      'From: <sip:alice@acme.example>;tag=1',
      'To: <sip:alice@acme.example>',
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} REGISTER`,
      `Contact: ${contact}`,
      `Path: <sip:flow-7@${door.address};lr;ob>`,
      `Expires: ${expires}`,
      'Supported: path, outbound',
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
    to,
  );
}

describeReal('a real fs-router', () => {
  const lab = new Lab();
  let routers: LabNode[];
  const ends: Uac[] = [];
  const open = async (user: string, host = '127.0.0.1') => {
    const end = await Uac.open({ host, user });
    ends.push(end);
    return end;
  };
  beforeAll(async () => {
    routers = await Promise.all(['fs-router-1', 'fs-router-2'].map((id) => lab.node(id, 'router')));
  }, 60_000);
  afterEach(() => {
    for (const end of ends.splice(0)) end.close();
  });
  afterAll(() => lab.stop());

  const registrations = async (router: LabNode) =>
    (JSON.parse(await router.api('show registrations as json')) as { rows?: { url: string }[] }).rows ?? [];

  it('keeps a registration with its path, each beside the other', async () => {
    for (const router of routers) {
      const door = await open('door');
      register(door, router.sip, {});
      await eventually(async () => (await registrations(router)).length === 1, 'the contact is kept');
      const [row] = await registrations(router);
      expect(row?.url).toContain(CONTACT);
      expect(decodeURIComponent(row!.url)).toContain(`fs_path=<sip:flow-7@${door.address};lr;ob>`);
      register(door, router.sip, { cseq: 2, expires: 0 });
      await eventually(async () => (await registrations(router)).length === 0, 'it is gone again');
      expect(router.xml.about('directory')).toEqual([]);
    }
  });

  it('keeps every device of an agent', async () => {
    const door = await open('door');
    const [router] = routers as [LabNode];
    for (const device of ['phone', 'page'])
      register(door, router.sip, { callId: device, contact: `<sip:${device}@10.0.0.1>` });
    await eventually(async () => (await registrations(router)).length === 2, 'both are kept');
    for (const device of ['phone', 'page'])
      register(door, router.sip, {
        callId: device,
        cseq: 2,
        contact: `<sip:${device}@10.0.0.1>`,
        expires: 0,
      });
    await eventually(async () => (await registrations(router)).length === 0, 'both are gone');
  });

  it('takes calls and registrations of peers only', async () => {
    const stranger = await open('stranger', '127.0.7.99');
    const [router] = routers as [LabNode];
    const call = stranger.call({ proxy: router.sip, to: 'sip:alice@acme.example', headers: SESSION });
    expect((await call.outcome).status).toBe(403);
    register(stranger, router.sip, { callId: 'stranger' });
    // Behind the refusal: what comes later was answered later.
    expect((await stranger.options(router.sip)).status).toBeGreaterThanOrEqual(200);
    expect(await registrations(router)).toEqual([]);
  });

  it('takes a session timer as short as browsers ask for', async () => {
    const [router] = routers as [LabNode];
    router.xml.answer = ({ section }) =>
      section === 'dialplan' ? dialplan('mesh', ['respond', '486']) : undefined;
    const timer = { 'Session-Expires': '90', Supported: 'timer' };
    const call = (await open('door')).call({
      ...{ proxy: router.sip, to: 'sip:alice@acme.example' },
      headers: { ...SESSION, ...timer },
    });
    expect((await call.outcome).status).toBe(486);
  });

  it('answers 503 when nobody knows where a call goes', async () => {
    const door = await open('door');
    for (const router of routers) {
      router.xml.answer = () => undefined;
      const call = door.call({ proxy: router.sip, to: 'sip:alice@acme.example', headers: SESSION });
      expect((await call.outcome).status).toBe(503);
    }
  });

  describe('between two parties', () => {
    /** A call through a router to somebody behind a flow; both ends of it. */
    async function connected(router: LabNode) {
      const [media, agent] = [await open('media'), await open('agent')];
      const got: SipRequest[] = [];
      let callee: IncomingSession | undefined;
      agent.onCall = (session) => {
        callee = session;
        session.handlers.request = (request) => {
          got.push(request);
          return { status: request.method === 'REFER' ? 202 : 200 };
        };
        session.handlers.renegotiate = (request) => {
          got.push(request);
          return { status: 200, body: sdp('127.0.0.1', 40_104) };
        };
        session.accept({ body: sdp('127.0.0.1', 40_102) });
      };
      router.xml.answer = () =>
        dialplan(
          'mesh',
          ['set', 'hangup_after_bridge=true'],
          [
            'bridge',
            `[callmesh_agent=alice@acme.example]sofia/mesh/${CONTACT};fs_path=${encodeURIComponent(`<sip:flow-7@${agent.address};lr;ob>`)}`,
          ],
        );
      const call = media.call({
        proxy: router.sip,
        to: 'sip:alice@acme.example',
        headers: SESSION,
        sdp: sdp('127.0.0.1', 40_100),
      });
      const outcome = await call.outcome;
      expect(outcome.status).toBe(200);
      await eventually(() => callee, 'the agent has the call');
      return { call, outcome, callee: callee!, got };
    }

    it('sends the INVITE by the path and stays out of the media', async () => {
      const { call, outcome, callee } = await connected(routers[0]!);
      expect(callee.invite.uri).toBe(CONTACT);
      expect(callee.invite.headers.get('route')).toContain('flow-7@');
      expect(callee.invite.headers.get('x-callmesh-session')).toBe(SESSION['X-Callmesh-Session']);
      expect(callee.invite.body).toContain('m=audio 40100');
      expect(outcome.response.body).toContain('m=audio 40102');
      expect((await call.bye()).status).toBe(200);
      await eventually(() => callee.state === 'ended', 'the far end is told');
    });

    it('passes on a re-INVITE with its SDP', async () => {
      const { call, callee, got } = await connected(routers[1]!);
      const answer = await call.reinvite(sdp('127.0.0.1', 40_106));
      expect(answer.status).toBe(200);
      const passed = got.find(({ method }) => method === 'INVITE');
      expect(passed?.body).toContain('m=audio 40106');
      expect(answer.body).toContain('m=audio 40104');
      await call.bye();
      await eventually(() => callee.state === 'ended', 'the far end is told');
    });

    it.each([
      ['INFO', { body: 'Signal=5\r\nDuration=100\r\n', contentType: 'application/dtmf-relay' }],
      ['MESSAGE', { body: 'hello', contentType: 'text/plain' }],
    ] as const)('passes on %s with its body', async (method, content) => {
      const { call, got } = await connected(routers[0]!);
      expect((await call.request(method, content)).status).toBeLessThan(300);
      const passed = await eventually(
        () => got.find((request) => request.method === method),
        `${method} arrives`,
      );
      expect(passed.body.trim()).toBe(content.body.trim());
      await call.bye();
    });

    it('passes on REFER, and the answer to it', async () => {
      const { call, got } = await connected(routers[0]!);
      const answer = await call.refer('sip:+4930555@acme.example');
      expect(answer.status).toBe(202);
      const passed = got.find(({ method }) => method === 'REFER');
      expect(passed?.headers.get('refer-to')).toContain('+4930555');
      await call.bye();
    });

    it('says that UPDATE is not to be used, and refuses it rather than keeping it to itself', async () => {
      const { call, outcome } = await connected(routers[0]!);
      expect(outcome.response.headers.get('allow')).not.toContain('UPDATE');
      expect((await call.update(sdp('127.0.0.1', 40_108))).status).toBe(405);
      expect(call.live).toBe(true);
      await call.bye();
    });
  });

  it('tries the next media node when the first is dead', async () => {
    const [router] = routers as [LabNode];
    const [door, media] = [await open('door'), await open('media')];
    const dead = await Uac.open({ host: '127.0.0.1' });
    const gone = dead.address;
    dead.close();
    media.onCall = (session) => session.accept({ body: sdp('127.0.0.1', 40_102) });
    const headers = 'sip_h_X-Callmesh-Session=fedcba9876543210,sip_h_X-Callmesh-Tenant=acme';
    router.xml.answer = () =>
      dialplan(
        'mesh',
        ['set', 'sip_copy_custom_headers=false'],
        ['bridge', [gone, media.address].map((at) => `[${headers}]sofia/mesh/sip:+4940@${at}`).join('|')],
      );
    const call = door.call({
      proxy: router.sip,
      to: 'sip:+4940@acme.example',
      headers: { 'X-Callmesh-Tenant': 'x' },
    });
    const { status, setupMs } = await call.outcome;
    expect(status).toBe(200);
    expect(setupMs).toBeLessThan(2_000);
    await call.bye();
  });
});
