import { createHash } from 'node:crypto';
import { eventually, freeswitchApi } from '@callmesh/local';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mediaNodes, tenants, World } from '../mesh/world.ts';
import { sdp } from '../sip/message.ts';
import type { IncomingSession } from '../standin/sip/incoming.ts';
import type { SipRequest } from '../standin/sip/message.ts';
import { type Outcome, Uac } from '../standin/uac.ts';
import { describeReal } from './lab.ts';

const TANDEM = 'fs-tandem-1';
/** Seconds a carrier may be silent. */
const PATIENCE_S = 2;

const rule = (direction: string, party: string, position: number, match: string, more: object) => ({
  ...{ direction, party, position, match },
  ...more,
});
/** Carriers in the order they are tried: national numbers, E.164 without plus, and one that is only named. */
const CARRIERS = {
  national: {
    host: '127.0.41.1',
    trunk: {
      priority: 1,
      max_channels: 2,
      rules: [
        rule('inbound', 'called', 1, '0', { strip: 1, prepend: '+49' }),
        rule('inbound', 'calling', 1, '0', { strip: 1, prepend: '+49' }),
        rule('outbound', 'called', 1, '+49', { strip: 3, prepend: '0' }),
        rule('outbound', 'called', 2, '+', { strip: 1, prepend: '00' }),
        rule('outbound', 'calling', 1, '+49', { strip: 3, prepend: '0' }),
      ],
    },
  },
  plain: {
    host: '127.0.41.2',
    trunk: {
      priority: 2,
      identity_header: 'remote-party-id',
      rules: [
        rule('outbound', 'called', 1, '+', { strip: 1 }),
        rule('outbound', 'calling', 1, '+', { strip: 1 }),
      ],
    },
  },
  silent: { host: '127.0.41.3', trunk: { priority: 3, identity_header: 'none', served_prefixes: ['+1'] } },
} as const;
type Name = keyof typeof CARRIERS;
const names = Object.keys(CARRIERS) as Name[];

const [base] = tenants(1, ['red'], 42) as [ReturnType<typeof tenants>[0]];

/** The user part of a header's URI. */
const userIn = (header: string | undefined) => /<sip:([^@>]*)@/.exec(header ?? '')?.[1];

describeReal('number plans on the wire, at a real fs-tandem', () => {
  const carriers = {} as Record<Name, Uac>;
  const seen: { by: Name; invite: SipRequest }[] = [];
  let world: World;
  let inside: Uac;
  let sip: string;
  let carrierSide: string;
  /** What a carrier does with a call; it answers unless told. */
  let answers: Partial<Record<Name, (session: IncomingSession) => void>>;

  beforeAll(async () => {
    for (const name of names) carriers[name] = await Uac.open({ host: CARRIERS[name].host, user: name });
    inside = await Uac.open({ host: '127.0.0.1', user: 'media' });
    const trunks = names.map((name) => ({
      ...{ id: name, kind: 'carrier', auth: 'address', source_addresses: [CARRIERS[name].host] },
      contact_uri: `sip:${carriers[name].address}`,
      ...CARRIERS[name].trunk,
    }));
    const roaming = {
      ...{ id: 'roaming', kind: 'carrier', auth: 'digest', username: 'acme', realm: 'callmesh' },
      ha1_md5: createHash('md5').update('acme:callmesh:right').digest('hex'),
    };
    const more = { trunks: [...trunks, roaming] };
    const tenant = { ...base, tenant: { blocked_destinations: ['+4919'] }, more };
    const tandem = { id: TANDEM, role: 'tandem', group: 'tandems', server: 'freeswitch', max: 50 } as const;
    world = await World.start([tenant], {
      nodes: [...mediaNodes('red', 1), tandem],
      policy: { carriers: { progress_timeout_s: PATIENCE_S } },
    });
    sip = world.mesh.node(TANDEM).sip;
    carrierSide = world.mesh.node(TANDEM).carrier!;
    await eventually(
      async () => {
        const status = await freeswitchApi(world.mesh.node(TANDEM).esl, 'sofia status');
        return names.every((name) => status.includes(`carriers::${name}`));
      },
      'the tandem has all gateways',
      20_000,
    );
  }, 120_000);
  afterAll(async () => {
    for (const end of [inside, ...Object.values(carriers)]) end?.close();
    await world?.stop();
  });

  beforeEach(() => {
    seen.length = 0;
    answers = {};
    for (const name of names)
      carriers[name].onCall = (session) => {
        seen.push({ by: name, invite: session.invite });
        const answer = answers[name] ?? (() => session.accept({ body: sdp(CARRIERS[name].host, 40_110) }));
        answer(session);
      };
  });
  /** Nothing is left of a test's calls: channels are counted. */
  afterEach(() =>
    eventually(async () => {
      const status = await freeswitchApi(world.mesh.node(TANDEM).esl, 'show channels count');
      return status.startsWith('0 total');
    }, 'all calls have ended'),
  );

  let count = 0;
  /** A call a media node sends out. */
  const out = (number: string, headers: Record<string, string> = {}, from = base.number) => {
    count += 1;
    const session = {
      'X-Callmesh-Session': count.toString(16).padStart(16, '0'),
      'X-Callmesh-Tenant': base.id,
    };
    return inside.call({
      proxy: sip,
      to: `sip:${number}@${sip}`,
      from: `sip:${from}@127.0.0.1`,
      headers: { ...session, ...headers },
    });
  };
  const outcomeOf = async (call: ReturnType<typeof out>): Promise<Outcome> => {
    const outcome = await call.outcome;
    if (outcome.status === 200) await call.bye();
    return outcome;
  };
  /** What the carrier that took the call was given. */
  const given = async (...call: Parameters<typeof out>) => {
    const { status } = await outcomeOf(out(...call));
    const { by, invite } = seen.at(-1) ?? {};
    const header = (name: string) => invite?.headers.get(name);
    return {
      status,
      by,
      called: /^sip:([^@]*)@/.exec(invite?.uri ?? '')?.[1],
      calling: userIn(header('from')),
      from: header('from'),
      asserted: userIn(header('p-asserted-identity')),
      remoteParty: header('remote-party-id'),
      privacy: header('privacy'),
      mesh: invite?.headers.fields.filter(({ name }) => /^x-/i.test(name)).length,
    };
  };

  describe('a call out', () => {
    it('has the numbers its carrier wants, and nothing of the mesh', async () => {
      expect(await given('+4989123456')).toMatchObject({
        ...{ status: 200, by: 'national', called: '089123456', mesh: 0, privacy: undefined },
        ...{ calling: base.number.replace('+49', '0'), asserted: base.number.replace('+49', '0') },
      });
      expect(await given('+43123456')).toMatchObject({ by: 'national', called: '0043123456' });
      expect(await given('+4989123456', { 'X-Callmesh-Trunk': 'plain' })).toMatchObject({
        ...{ by: 'plain', called: '4989123456', calling: base.number.slice(1), asserted: undefined },
        remoteParty: expect.stringMatching(
          new RegExp(`^<sip:${base.number.slice(1)}@127.0.41.2>;party=calling;screen=yes;privacy=off$`),
        ),
      });
      expect(await given('+12125550100', { 'X-Callmesh-Trunk': 'silent' })).toMatchObject({
        ...{ by: 'silent', called: '+12125550100', calling: base.number },
        ...{ asserted: undefined, remoteParty: undefined },
      });
    });

    it.each(['+491701234567', 'alice', 'a"b'])("shows the tenant's own number for %s", async (from) => {
      expect(await given('+4989123456', {}, encodeURIComponent(from))).toMatchObject({
        calling: base.number.replace('+49', '0'),
      });
    });

    it('hides who wants to be hidden, and asserts it to carriers', async () => {
      const hidden = { Privacy: 'id' };
      const national = await given('+4989123456', hidden);
      expect(national).toMatchObject({ privacy: 'id', asserted: base.number.replace('+49', '0') });
      expect(national.from).toMatch(/^"Anonymous" <sip:anonymous@anonymous\.invalid>/);
      const plain = await given('+4989123456', { ...hidden, 'X-Callmesh-Trunk': 'plain' });
      expect(plain.remoteParty).toContain(';privacy=full');
      const silent = await given('+12125550100', { ...hidden, 'X-Callmesh-Trunk': 'silent' });
      expect(silent).toMatchObject({ calling: 'anonymous', asserted: undefined, remoteParty: undefined });
    });
  });

  describe('a carrier that does not take a call', () => {
    it('is followed by the next one when it refuses', async () => {
      answers.national = (session) => session.reject(503);
      expect(await given('+4989123456')).toMatchObject({ status: 200, by: 'plain', called: '4989123456' });
      expect(seen.map(({ by }) => by)).toEqual(['national', 'plain']);
    });

    it('is followed by the next one when it says nothing, and is told that it is over', async () => {
      let cancelled = false;
      answers.national = (session) => {
        session.handlers.ended = () => {
          cancelled = true;
        };
      };
      const { status, setupMs } = await outcomeOf(out('+4989123456'));
      expect([status, seen.at(-1)?.by]).toEqual([200, 'plain']);
      expect(setupMs).toBeGreaterThan(PATIENCE_S * 800);
      expect(setupMs).toBeLessThan(PATIENCE_S * 1_000 + 3_000);
      await eventually(() => cancelled, 'the silent one is told');
    });

    it('is the last word when the called one is busy', async () => {
      answers.national = (session) => session.reject(486);
      expect(await given('+4989123456')).toMatchObject({ status: 486, by: 'national' });
      expect(seen).toHaveLength(1);
    });

    it('leaves the caller with the last failure when there is no other', async () => {
      for (const name of names) answers[name] = (session) => session.reject(503);
      const { status } = await outcomeOf(out('+12125550100'));
      expect(status).toBe(503);
      expect(seen.map(({ by }) => by)).toEqual(['national', 'plain', 'silent']);
    });
  });

  it('gives a carrier as many calls as it has channels, and more when some have ended', async () => {
    const held = [out('+4989100001'), out('+4989100002'), out('+4989100003')];
    for (const { outcome } of held) expect((await outcome).status).toBe(200);
    expect(seen.map(({ by }) => by).sort()).toEqual(['national', 'national', 'plain']);
    for (const call of held) await call.bye();
    await eventually(async () => (await given('+4989100004')).by === 'national', 'a channel is free again');
  });

  it.each([
    ['a blocked number', '+49190123', {}, 403],
    ['a premium number', '+88213000', {}, 403],
    ['no number', '100', {}, 404],
    ['a tenant that is not there', '+4989123456', { 'X-Callmesh-Tenant': 'nobody' }, 403],
    ["a carrier that is not the tenant's", '+4989123456', { 'X-Callmesh-Trunk': 'other' }, 403],
  ])('refuses %s before any carrier hears of it', async (_what, number, headers, status) => {
    expect((await outcomeOf(out(number, headers))).status).toBe(status);
    expect(seen).toEqual([]);
  });

  describe('a call in', () => {
    const into = (number: string, over: object = {}) =>
      carriers.national.call({
        proxy: carrierSide,
        to: `sip:${number}@${carrierSide}`,
        from: 'sip:0171234567@carrier.example',
        ...over,
      });
    const national = base.number.replace('+49', '0');

    it('reaches its tenant in E.164, with its trunk, and nothing a carrier could forge', async () => {
      const call = into(national, { headers: { 'X-Callmesh-Tenant': 'other', 'X-Callmesh-Agent': 'a@b.c' } });
      const [leg] = await eventually(async () => {
        const legs = await world.mesh.channels('fs-red-1');
        return legs.length > 0 && legs;
      }, 'the media node has the call');
      expect(leg).toMatchObject({ caller: '+49171234567', destination: base.number });
      expect(leg!.headers).toMatchObject({
        'sip_h_X-Callmesh-Tenant': base.id,
        'sip_h_X-Callmesh-Trunk': 'national',
        'sip_h_X-Callmesh-Session': expect.stringMatching(/^[0-9a-f]{16}$/),
      });
      expect(leg!.headers).not.toHaveProperty('sip_h_X-Callmesh-Agent');
      expect((await call.outcome).status).toBe(200);
      await call.bye();
    });

    it('may come from anywhere with the right password, and with no other', async () => {
      const stranger = await Uac.open({ host: '127.0.41.9', user: 'stranger' });
      const login = (password?: string) =>
        stranger.call({
          proxy: carrierSide,
          to: `sip:${base.number}@${carrierSide}`,
          ...(password && { credentials: { username: 'acme', password } }),
        });
      expect((await login().outcome).status).toBe(407);
      expect((await login('wrong').outcome).status).toBe(403);
      const call = login('right');
      expect((await call.outcome).status).toBe(200);
      const [leg] = await world.mesh.channels('fs-red-1');
      expect(leg!.headers).toMatchObject({ 'sip_h_X-Callmesh-Trunk': 'roaming' });
      await call.bye();
      stranger.close();
    });

    it.each([
      ['a number outside', '089123456'],
      ['an extension', '100'],
    ])('does not get to %s', async (_what, number) => {
      expect((await into(number).outcome).status).toBe(404);
      expect(seen).toEqual([]);
    });
  });

  it('goes on as it last was told while policy is away, and refuses what nobody has told it', async () => {
    expect(await given('+4989123456')).toMatchObject({ status: 200, by: 'national' });
    await world.mesh.service('policy-1').kill();
    expect(await given('+4989123456')).toMatchObject({ status: 200, by: 'national', called: '089123456' });
    expect((await outcomeOf(out('+4989999999'))).status).toBe(503);
  });
});
