import { createHash } from 'node:crypto';
import { eventually } from '@callmesh/local';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sdp } from '../sip/message.ts';
import { RtpEnd } from '../sip/rtp.ts';
import type { SipRequest } from '../standin/sip/message.ts';
import { Uac } from '../standin/uac.ts';
import { describeReal, Lab, type LabNode } from './lab.ts';
import { type Answer, dialplan, section } from './xml-server.ts';

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const SESSION = { 'X-Callmesh-Session': '0123456789abcdef', 'X-Callmesh-Tenant': 'acme' };
/** Causes that say that the carrier failed. */
const CARRIER_FAILED =
  'NORMAL_TEMPORARY_FAILURE,NETWORK_OUT_OF_ORDER,RECOVERY_ON_TIMER_EXPIRE,GATEWAY_DOWN,PROGRESS_TIMEOUT';

interface Carrier {
  readonly id: string;
  readonly end: Uac;
  readonly register?: boolean;
}

/** The directory's domain of the carriers, as the agent of an fs-tandem answers it. */
function carriersDocument(carriers: readonly Carrier[]): string {
  const users = carriers.map(({ id, end, register = false }) => {
    const params = {
      proxy: end.address,
      username: 'callmesh',
      password: 's3cret',
      register: String(register),
    };
    const lines = Object.entries(params).map(([name, value]) => `<param name="${name}" value="${value}"/>`);
    const gateway = `<gateway name="${id}">${lines.join('')}<param name="caller-id-in-from" value="true"/></gateway>`;
    return `<user id="${id}" cidr="${end.agent.host}/32"><gateways>${gateway}</gateways></user>`;
  });
  const groups = `<groups><group name="trunks"><users>${users.join('')}</users></group></groups>`;
  return section('directory', `<domain name="carriers">${groups}</domain>`);
}

/** A trunk that proves itself by digest. */
function digestUser(realm: string): string {
  const hash = `<param name="a1-hash" value="${md5(`acme-trunk:${realm}:right`)}"/>`;
  return section(
    'directory',
    `<domain name="${realm}"><user id="acme-trunk"><params>${hash}</params></user></domain>`,
  );
}

describeReal('a real fs-tandem', () => {
  const lab = new Lab();
  let tandem: LabNode;
  let other: LabNode;
  let first: Carrier;
  let second: Carrier;
  let carriers: Carrier[];
  let plan: Answer = () => undefined;
  const ends: Uac[] = [];
  const open = async (user: string, host = '127.0.0.1') => {
    const end = await Uac.open({ host, user });
    ends.push(end);
    return end;
  };
  beforeAll(async () => {
    first = { id: 'carrier-a', end: await Uac.open({ host: '127.0.31.1', user: 'carrier-a' }) };
    second = { id: 'carrier-b', end: await Uac.open({ host: '127.0.31.2', user: 'carrier-b' }) };
    carriers = [first, second];
    const answer: Answer = (question) => {
      const { fields } = question;
      if (question.section === 'dialplan') return plan(question);
      if (fields.get('key_value') === 'carriers') return carriersDocument(carriers);
      return fields.get('sip_auth_username') === 'acme-trunk'
        ? digestUser(fields.get('sip_auth_realm')!)
        : undefined;
    };
    const prepare = (xml: { answer: Answer }) => {
      xml.answer = answer;
    };
    [tandem, other] = await Promise.all([
      lab.node('fs-tandem-1', 'tandem', prepare),
      lab.node('fs-tandem-2', 'tandem', prepare),
    ]);
    // As the agent does once it is connected.
    for (const node of [tandem, other]) await node.api('reloadacl');
  }, 60_000);
  afterEach(() => {
    for (const end of ends.splice(0)) end.close();
    plan = () => undefined;
  });
  afterAll(async () => {
    for (const { end } of [first, second]) end.close();
    await lab.stop();
  });

  const gateways = (node: LabNode) => node.api('sofia status');

  it('has a gateway for each trunk, each node its own', async () => {
    for (const node of [tandem, other])
      for (const { id } of carriers) expect(await gateways(node)).toContain(`carriers::${id}`);
  });

  describe('calls of carriers', () => {
    const toMedia = (media: Uac): Answer => {
      const headers =
        'sip_h_X-Callmesh-Session=0123456789abcdef,sip_h_X-Callmesh-Tenant=acme,sip_h_X-Callmesh-Trunk=carrier-a';
      const caller = 'origination_caller_id_number=+49111,origination_caller_id_name=+49111';
      return () =>
        dialplan(
          'carriers',
          ['set', 'sip_copy_custom_headers=false'],
          ['set', 'hangup_after_bridge=true'],
          ['bridge', `[${headers},${caller}]sofia/mesh/sip:+4930100100@${media.address}`],
        );
    };

    it('are known by their address, and bring nothing in that the mesh believes', async () => {
      const media = await open('media');
      let inside: SipRequest | undefined;
      media.onCall = (session) => {
        inside = session.invite;
        session.accept({ body: sdp('127.0.0.1', 40_102) });
      };
      plan = toMedia(media);
      const forged = {
        'X-Callmesh-Tenant': 'globex',
        'X-Callmesh-Agent': 'eve@globex.example',
        'X-Forged': 'yes',
      };
      const call = first.end.call({
        proxy: tandem.carrier,
        to: `sip:030100100@${tandem.carrier}`,
        headers: forged,
      });
      const { status, response } = await call.outcome;
      expect(status).toBe(200);
      const asked = tandem.xml.about('dialplan').at(-1)!.fields;
      expect(asked.get('Caller-Context')).toBe('carriers');
      expect(asked.get('variable_sip_network_ip')).toBe('127.0.31.1');
      expect(asked.get('variable_sip_acl_token')).toBe('carrier-a@carriers');
      const headers = inside!.headers;
      expect(headers.get('x-callmesh-tenant')).toBe('acme');
      expect(headers.get('x-callmesh-trunk')).toBe('carrier-a');
      expect(headers.get('x-callmesh-agent')).toBeUndefined();
      expect(headers.get('x-forged')).toBeUndefined();
      expect(headers.get('from')).toContain('+49111');
      // Media goes through the node: neither side sees the other's address.
      expect(response.body).not.toContain('m=audio 40102');
      await call.bye();
    });

    it('are heard and hear', async () => {
      const [media, near, far] = [
        await open('media'),
        await RtpEnd.open('127.0.0.1'),
        await RtpEnd.open('127.0.31.1'),
      ];
      let offer = '';
      media.onCall = (session) => {
        offer = session.invite.body;
        session.accept({ body: sdp('127.0.0.1', near.port) });
      };
      plan = toMedia(media);
      const call = first.end.call({
        proxy: tandem.carrier,
        to: `sip:030100100@${tandem.carrier}`,
        sdp: sdp('127.0.31.1', far.port),
      });
      const { response } = await call.outcome;
      const portOf = (body: string) => Number(/^m=audio (\d+)/m.exec(body)?.[1]);
      await eventually(() => {
        far.send('carr'.repeat(40), portOf(response.body));
        near.send('mesh'.repeat(40), portOf(offer));
        return (
          near.received.some((payload) => payload.includes('carrcarr')) &&
          far.received.some((payload) => payload.includes('meshmesh'))
        );
      }, 'each hears the other');
      await call.bye();
      for (const end of [near, far]) end.close();
    });

    it('of strangers are asked for credentials, and never reach the dialplan without', async () => {
      const stranger = await open('stranger', '127.0.31.9');
      const before = tandem.xml.about('dialplan').length;
      const call = { proxy: tandem.carrier, to: `sip:030100100@${tandem.carrier}` };
      const refused = await stranger.call(call).outcome;
      expect(refused.status).toBe(407);
      expect(refused.response.headers.get('proxy-authenticate')).toContain('realm="callmesh"');
      const wrong = await stranger.call({
        ...call,
        credentials: { username: 'acme-trunk', password: 'wrong' },
      }).outcome;
      expect(wrong.status).toBe(403);
      expect(tandem.xml.about('dialplan')).toHaveLength(before);
      plan = () => dialplan('carriers', ['respond', '486 Busy Here']);
      const right = await stranger.call({
        ...call,
        credentials: { username: 'acme-trunk', password: 'right' },
      }).outcome;
      expect(right.status).toBe(486);
      expect(tandem.xml.about('dialplan').at(-1)!.fields.get('variable_sip_auth_username')).toBe(
        'acme-trunk',
      );
    });
  });

  describe('calls to carriers', () => {
    const by = (id: string, more = '') =>
      `[callmesh_trunk=${id},sip_cid_type=none,origination_caller_id_number=+4930555,origination_caller_id_name=+4930555${more}]sofia/gateway/${id}/0049401`;
    const outbound =
      (...bridges: readonly string[]): Answer =>
      () =>
        dialplan(
          'mesh',
          ['set', 'sip_copy_custom_headers=false'],
          ['set', 'hangup_after_bridge=true'],
          ['set', `continue_on_fail=${CARRIER_FAILED}`],
          ...bridges.map((bridge) => ['bridge', bridge] as const),
        );
    const call = async () => {
      const media = await open('media');
      return media.call({ proxy: tandem.sip, to: `sip:+49401@${tandem.sip}`, headers: SESSION });
    };
    const answering = (carrier: Carrier, seen: SipRequest[]) => {
      carrier.end.onCall = (session) => {
        seen.push(session.invite);
        session.accept({ body: sdp(carrier.end.agent.host, 40_110) });
      };
    };

    it('carry the numbers and identity they are given, and nothing of the mesh', async () => {
      const seen: SipRequest[] = [];
      answering(first, seen);
      plan = outbound(by('carrier-a', ',sip_h_P-Asserted-Identity=<sip:+4930555@acme.example>'));
      const out = await call();
      expect((await out.outcome).status).toBe(200);
      const [{ uri, headers }] = seen as [SipRequest];
      expect(uri).toBe(`sip:0049401@${first.end.address}`);
      expect(headers.get('from')).toContain('sip:+4930555@');
      expect(headers.get('p-asserted-identity')).toBe('<sip:+4930555@acme.example>');
      expect(headers.get('privacy')).toBeUndefined();
      expect(headers.fields.filter(({ name }) => /^x-/i.test(name))).toEqual([]);
      await out.bye();
    });

    it('hide who wants to be hidden, and assert who it is', async () => {
      const seen: SipRequest[] = [];
      answering(first, seen);
      const hidden =
        '[callmesh_trunk=carrier-a,sip_cid_type=none,origination_caller_id_name=Anonymous,origination_caller_id_number=anonymous,' +
        'sip_invite_domain=anonymous.invalid,sip_h_Privacy=id,sip_h_P-Asserted-Identity=<sip:+4930555@acme.example>]sofia/gateway/carrier-a/0049401';
      plan = outbound(hidden);
      const out = await call();
      expect((await out.outcome).status).toBe(200);
      const [{ headers }] = seen as [SipRequest];
      expect(headers.get('from')).toMatch(/^"Anonymous" <sip:anonymous@anonymous\.invalid>/);
      expect(headers.get('privacy')).toBe('id');
      expect(headers.get('p-asserted-identity')).toBe('<sip:+4930555@acme.example>');
      await out.bye();
    });

    it('go to the second carrier when the first one fails', async () => {
      const seen: SipRequest[] = [];
      first.end.onCall = (session) => session.reject(503);
      answering(second, seen);
      plan = outbound(by('carrier-a'), by('carrier-b'));
      const out = await call();
      expect((await out.outcome).status).toBe(200);
      expect(seen).toHaveLength(1);
      await out.bye();
    });

    it('go to the second carrier when the first one is silent', async () => {
      const seen: SipRequest[] = [];
      let cancelled = false;
      first.end.onCall = (session) => {
        session.handlers.ended = () => {
          cancelled = true;
        };
      };
      answering(second, seen);
      plan = outbound(by('carrier-a', ',leg_progress_timeout=2'), by('carrier-b'));
      const out = await call();
      const { status, setupMs } = await out.outcome;
      expect(status).toBe(200);
      expect(setupMs).toBeGreaterThan(1_500);
      expect(setupMs).toBeLessThan(6_000);
      await eventually(() => cancelled, 'the first is told that it is over');
      await out.bye();
    });

    it('end where the called one is busy', async () => {
      const seen: SipRequest[] = [];
      first.end.onCall = (session) => session.reject(486);
      answering(second, seen);
      plan = outbound(by('carrier-a'), by('carrier-b'));
      const { status } = await (await call()).outcome;
      expect(status).toBe(486);
      expect(seen).toEqual([]);
    });
  });

  it('takes trunks up and gives them up while it runs', async () => {
    carriers = [second];
    await tandem.api('sofia profile carriers killgw carrier-a');
    await tandem.api('reloadacl');
    await eventually(async () => {
      await tandem.api('sofia profile carriers rescan');
      return !(await gateways(tandem)).includes('carriers::carrier-a');
    }, 'the gateway is gone');
    expect(await tandem.api('acl 127.0.31.1 carriers')).toBe('false');
    expect(await gateways(tandem)).toContain('carriers::carrier-b');
    carriers = [first, second];
    await tandem.api('reloadacl');
    await tandem.api('sofia profile carriers rescan');
    await eventually(async () => (await gateways(tandem)).includes('carriers::carrier-a'), 'it is back');
    expect(await tandem.api('acl 127.0.31.1 carriers')).toBe('true');
  });
});
