import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EslClient, type ReadEvent } from './esl/client.test-support.ts';
import type { IncomingSession } from './sip/incoming.ts';
import { formatSdp } from './sip/sdp.ts';
import { Uac, type UacCall } from './uac.ts';

/** A media node as its agent sees it: it parks the mesh's calls. */
export interface MediaServer {
  readonly sip: string;
  readonly esl: string;
  readonly password: string;
  /** A folder it may record into. */
  readonly recordings: string;
  stop(): Promise<void>;
}

const WATCHED = `CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_ANSWER CHANNEL_PARK CHANNEL_UNPARK CHANNEL_EXECUTE
  CHANNEL_EXECUTE_COMPLETE CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_HANGUP
  CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY PLAYBACK_START PLAYBACK_STOP RECORD_START RECORD_STOP DTMF
  CUSTOM conference::maintenance`.replace(/\s+/g, ' ');
/** What is told of a call of the mesh before anybody commands it. */
const PARKED = ['CREATE', 'EXECUTE set', 'EXECUTE_COMPLETE set', 'EXECUTE park', 'PARK'];
const TONE = 'tone_stream://%(100,100,400)';
const SESSION = { 'X-Callmesh-Session': '0123456789abcdef', 'X-Callmesh-Tenant': 'acme' };

/**
 * What node-agent's commands do on a media node: the same rules for the stand-in
 * and for a real FreeSWITCH, so that the one can stand in for the other.
 */
export function commandRules(title: string, start: () => Promise<MediaServer>): void {
  describe(title, () => {
    let server: MediaServer;
    let commands: EslClient;
    let listener: EslClient;
    let door: Uac;
    let callee: Uac;
    let events: ReadEvent[];

    beforeAll(async () => {
      server = await start();
      commands = await EslClient.open(server.esl, server.password);
    }, 90_000);
    afterAll(async () => {
      commands?.close();
      await server?.stop();
    });
    beforeEach(async () => {
      door = await Uac.open({ user: '+4930111' });
      callee = await Uac.open({ user: 'callee' });
      events = [];
      listener = await EslClient.open(server.esl, server.password);
      await listener.command(`event plain ${WATCHED}`);
      void (async () => {
        for (const one = listener; ; ) events.push(await one.event());
      })();
    });
    afterEach(async () => {
      await api('hupall');
      await expect.poll(async () => (await api('show channels count')).trim()).toBe('0 total.');
      for (const end of [door, callee, listener]) end.close();
    });

    const api = (command: string) => commands.api(command);
    const program = (...steps: string[]) => `'m:^:${steps.join('^')}' inline`;
    const aor = (user = 'alice') => `sofia/mesh/sip:${user}@acme.example;fs_path=sip:${callee.address}`;
    const soon = <T>(read: () => T) => expect.poll(read, { timeout: 10_000, interval: 10 });

    /** What was told of a leg: the event, and the application where it is about one. */
    const told = (uuid: string, ...names: string[]) =>
      events
        .filter(({ fields }) => fields.get('Unique-ID') === uuid)
        .filter(({ name }) => names.length === 0 || names.some((one) => name.endsWith(one)))
        .map(({ name, fields }) =>
          [name.replace('CHANNEL_', ''), fields.get('Application') ?? fields.get('Action')]
            .filter(Boolean)
            .join(' '),
        );

    /** What the last event of a leg said. */
    const last = (uuid: string, field: string) =>
      events.findLast(({ fields }) => fields.get('Unique-ID') === uuid)?.fields.get(field);

    async function parked(): Promise<{ call: UacCall; uuid: string }> {
      const before = new Set(events);
      const call = door.call({
        proxy: server.sip,
        to: `sip:+4930100@${server.sip}`,
        headers: { ...SESSION, 'X-Test': 'kept' },
      });
      const park = () => events.find((event) => event.name === 'CHANNEL_PARK' && !before.has(event));
      await soon(park).toBeDefined();
      return { call, uuid: park()!.fields.get('Unique-ID')! };
    }

    async function answered(): Promise<{ call: UacCall; uuid: string }> {
      const leg = await parked();
      await api(`uuid_transfer ${leg.uuid} ${program('answer', 'park')}`);
      expect((await leg.call.outcome).status).toBe(200);
      await soon(() => told(leg.uuid, 'PARK').length).toBe(3);
      return leg;
    }

    /** The called one: rings and answers, only rings, or refuses. */
    function onCall(how: 'answer' | 'ring' | number): IncomingSession[] {
      const sessions: IncomingSession[] = [];
      callee.onCall = (session) => {
        sessions.push(session);
        if (typeof how === 'number') return session.reject(how);
        session.progress(180);
        if (how === 'answer') session.accept({ body: answerTo(session) });
      };
      return sessions;
    }

    function answerTo(session: IncomingSession): string {
      const port = 40_002;
      return formatSdp({
        address: session.agent.host,
        port,
        id: 1,
        version: 1,
        direction: 'sendrecv',
        dtmf: 101,
      });
    }

    const bridgedTo = (uuid: string) =>
      events
        .find(({ name, fields }) => name === 'CHANNEL_BRIDGE' && fields.get('Bridge-A-Unique-ID') === uuid)
        ?.fields.get('Bridge-B-Unique-ID');

    it('parks a call of the mesh: its caller hears nothing, not even ringing', async () => {
      const { call, uuid } = await parked();
      expect(told(uuid)).toEqual(PARKED);
      call.cancel();
      expect((await call.outcome).statuses).toEqual([100, 487]);
      await soon(() => told(uuid)).toEqual([
        ...PARKED,
        ...['HANGUP', 'UNPARK', 'EXECUTE_COMPLETE park', 'HANGUP_COMPLETE', 'DESTROY'],
      ]);
      expect(last(uuid, 'Hangup-Cause')).toBe('ORIGINATOR_CANCEL');
    });

    it('does the steps of a program in order', async () => {
      const { call, uuid } = await parked();
      const steps = ['ring_ready', 'answer', `playback:${TONE};loops=2`, 'park'];
      expect(await api(`uuid_transfer ${uuid} ${program(...steps)}`)).toBe('+OK\n');
      expect((await call.outcome).statuses).toEqual([100, 180, 200]);
      await soon(() => told(uuid).slice(PARKED.length)).toEqual([
        ...['UNPARK', 'EXECUTE_COMPLETE park'],
        ...['EXECUTE ring_ready', 'PROGRESS', 'EXECUTE_COMPLETE ring_ready'],
        ...['EXECUTE answer', 'ANSWER', 'EXECUTE_COMPLETE answer'],
        ...['EXECUTE playback', 'PLAYBACK_START', 'PLAYBACK_STOP', 'EXECUTE_COMPLETE playback'],
        ...['EXECUTE park', 'PARK'],
      ]);
    });

    it('hangs up after the last step', async () => {
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program('answer', `playback:${TONE}`)}`);
      expect((await call.ended).by).toBe('remote');
      await soon(() => told(uuid).at(-1)).toBe('DESTROY');
      expect(last(uuid, 'Hangup-Cause')).toBe('NORMAL_CLEARING');
    });

    it('refuses with the status of the cause', async () => {
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program('hangup:USER_BUSY')}`);
      expect((await call.outcome).status).toBe(486);
    });

    it('gives a parked call up when its time is over', async () => {
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program('set:park_timeout=1:NORMAL_TEMPORARY_FAILURE', 'park')}`);
      expect((await call.outcome).status).toBe(503);
    });

    it('bridges: the caller hears ringing and the answer, headers of the mesh go along', async () => {
      const sessions = onCall('answer');
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program('set:hangup_after_bridge=true', `bridge:${aor()}`)}`);
      expect((await call.outcome).statuses).toEqual([100, 180, 200]);
      await soon(() => bridgedTo(uuid)).toBeDefined();
      const { invite } = sessions[0]!;
      expect(invite.uri).toBe('sip:alice@acme.example');
      expect(invite.headers.get('route')).toBe(`<sip:${callee.address}>`);
      for (const [name, value] of Object.entries(SESSION)) expect(invite.headers.get(name)).toBe(value);
      expect(invite.headers.get('x-test')).toBe('kept');
      const b = bridgedTo(uuid)!;
      expect(told(b)).toEqual(['CREATE', 'PROGRESS', 'ANSWER']);
      const created = events.find(({ fields }) => fields.get('Unique-ID') === b)!;
      expect(created.fields.get('variable_originator')).toBe(uuid);
      expect(created.fields.get('Channel-Call-UUID')).toBe(uuid);
      sessions[0]!.hangup();
      expect((await call.ended).by).toBe('remote');
      await soon(() => told(uuid).at(-1)).toBe('DESTROY');
      expect(told(uuid, 'BRIDGE', 'HANGUP', 'COMPLETE bridge')).toEqual(['BRIDGE', 'UNBRIDGE', 'HANGUP']);
      expect(told(b).slice(3)).toEqual(['HANGUP', 'HANGUP_COMPLETE', 'DESTROY']);
    });

    it('ends the called leg when the caller hangs up', async () => {
      const sessions = onCall('answer');
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program(`bridge:${aor()}`)}`);
      await soon(() => bridgedTo(uuid)).toBeDefined();
      await call.bye();
      await soon(() => sessions[0]!.state).toBe('ended');
      await soon(() => told(bridgedTo(uuid)!, 'HANGUP').length).toBe(1);
    });

    it.each([
      [486, 'USER_BUSY', 486],
      [488, 'INCOMPATIBLE_DESTINATION', 488],
      [603, 'CALL_REJECTED', 603],
      [404, 'UNALLOCATED_NUMBER', 404],
      [503, 'NORMAL_TEMPORARY_FAILURE', 503],
    ])('takes %i of the called one for %s', async (status, cause, passed) => {
      onCall(status);
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program(`bridge:${aor()}`)}`);
      const outcome = await call.outcome;
      await soon(() => told(uuid).at(-1)).toBe('DESTROY');
      expect(last(uuid, 'Hangup-Cause')).toBe(cause);
      expect(last(uuid, 'variable_originate_disposition')).toBe(cause);
      expect(outcome.status).toBe(passed);
    });

    it('goes on with the next step only after the causes it was told', async () => {
      onCall(486);
      const { call, uuid } = await parked();
      const steps = ['set:continue_on_fail=NO_ANSWER,USER_BUSY', `bridge:${aor()}`, 'answer', 'park'];
      await api(`uuid_transfer ${uuid} ${program(...steps)}`);
      expect((await call.outcome).status).toBe(200);
    });

    it.each([
      ['', 200],
      ['set:continue_on_fail=false^', 480],
    ])('goes on after no answer unless told otherwise ("%s")', async (first, status) => {
      onCall(480);
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program(`${first}bridge:${aor()}`, 'answer', 'park')}`);
      expect((await call.outcome).status).toBe(status);
    });

    it('lets the called one ring only so long', async () => {
      const sessions = onCall('ring');
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program(`bridge:[leg_timeout=1]${aor()}`)}`);
      expect((await call.outcome).statuses).toEqual([100, 180, 480]);
      expect(sessions[0]!.state).toBe('ended');
      await soon(() => told(uuid).at(-1)).toBe('DESTROY');
      expect(last(uuid, 'Hangup-Cause')).toBe('ALLOTTED_TIMEOUT');
    });

    it('cancels the called one when the caller gives up', async () => {
      const sessions = onCall('ring');
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program(`bridge:${aor()}`)}`);
      await soon(() => told(uuid)).toContain('PROGRESS');
      call.cancel();
      await soon(() => sessions[0]!.state).toBe('ended');
      await soon(() => told(uuid).at(-1)).toBe('DESTROY');
    });

    it('tries alternates one after another', async () => {
      const tried: string[] = [];
      callee.onCall = (session) => {
        tried.push(session.invite.uri);
        if (tried.length < 2) session.reject(503);
        else session.accept({ body: answerTo(session) });
      };
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program(`bridge:${aor('a')}|${aor('b')}|${aor('c')}`)}`);
      expect((await call.outcome).status).toBe(200);
      expect(tried).toEqual(['sip:a@acme.example', 'sip:b@acme.example']);
    });

    it('tries no further way after a cause that says enough', async () => {
      const tried: string[] = [];
      callee.onCall = (session) => {
        tried.push(session.invite.uri);
        session.reject(486);
      };
      const { call, uuid } = await parked();
      const ways = `{fail_on_single_reject=!NORMAL_TEMPORARY_FAILURE/RECOVERY_ON_TIMER_EXPIRE}${aor('a')}|${aor('b')}`;
      await api(`uuid_transfer ${uuid} ${program(`bridge:${ways}`)}`);
      expect((await call.outcome).status).toBe(486);
      expect(tried).toEqual(['sip:a@acme.example']);
    });

    it('presents whom it is told, and keeps back the headers it is told', async () => {
      const sessions = onCall('answer');
      const { call, uuid } = await parked();
      const steps = ['set:effective_caller_id_number=+4930999', 'set:effective_caller_id_name=Acme'];
      const dial = `bridge:{exclude_outgoing_extra_header=X-(Test|Other)$}${aor()}`;
      await api(`uuid_transfer ${uuid} ${program(...steps, dial)}`);
      await call.outcome;
      const { headers } = sessions[0]!.invite;
      expect(headers.get('from')).toMatch(/^"Acme" <sip:\+4930999@/);
      expect(headers.get('x-test')).toBeUndefined();
      expect(headers.get('x-callmesh-session')).toBe(SESSION['X-Callmesh-Session']);
    });

    it.each([',', ':_:'])(
      'calls several at once (%s): the first answer wins, the others are cancelled',
      async (mark) => {
        const sessions = new Map<string, IncomingSession>();
        callee.onCall = (session) => {
          sessions.set(session.invite.uri, session);
          session.progress(180);
        };
        const { call, uuid } = await parked();
        await api(`uuid_transfer ${uuid} ${program(`bridge:${aor('a')}${mark}${aor('b')}`)}`);
        await soon(() => sessions.size).toBe(2);
        const [a, b] = [sessions.get('sip:a@acme.example')!, sessions.get('sip:b@acme.example')!];
        b.accept({ body: answerTo(b) });
        expect((await call.outcome).status).toBe(200);
        await soon(() => a.state).toBe('ended');
        await soon(() => events.some(({ fields }) => fields.get('Hangup-Cause') === 'LOSE_RACE')).toBe(true);
        // What the mesh must set itself on legs of an enterprise originate.
        const header = b.invite.headers.get('X-Callmesh-Session');
        expect(header).toBe(mark === ',' ? SESSION['X-Callmesh-Session'] : undefined);
      },
    );

    it('hangs up whom a leg was talking to, when that leg is transferred', async () => {
      const sessions = onCall('answer');
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program('set:hangup_after_bridge=true', `bridge:${aor()}`)}`);
      await soon(() => bridgedTo(uuid)).toBeDefined();
      await api(`uuid_transfer ${uuid} ${program('park')}`);
      await soon(() => sessions[0]!.state).toBe('ended');
      await soon(() => told(uuid).slice(-4)).toEqual([
        ...['UNBRIDGE', 'EXECUTE_COMPLETE bridge', 'EXECUTE park', 'PARK'],
      ]);
      expect(call.live).toBe(true);
    });

    it('parks a leg after its bridge, when that was asked for', async () => {
      const sessions = onCall('answer');
      const { call, uuid } = await parked();
      await api(`uuid_transfer ${uuid} ${program('set:park_after_bridge=true', `bridge:${aor()}`)}`);
      await soon(() => bridgedTo(uuid)).toBeDefined();
      sessions[0]!.hangup();
      await soon(() => told(uuid, '_PARK').length).toBe(2);
      expect(call.live).toBe(true);
    });

    it('connects two legs that are there, and parts them with the end of one', async () => {
      const [a, b] = [await answered(), await answered()];
      expect(await api(`uuid_bridge ${a.uuid} ${b.uuid}`)).toBe(`+OK ${b.uuid}\n`);
      await soon(() => bridgedTo(a.uuid)).toBe(b.uuid);
      await b.call.bye();
      expect((await a.call.ended).by).toBe('remote');
      await soon(() => told(a.uuid).at(-1)).toBe('DESTROY');
      expect(told(a.uuid, 'BRIDGE')).toEqual(['BRIDGE', 'UNBRIDGE']);
    });

    it('plays beside what a leg does, until it is told to stop', async () => {
      const { uuid } = await answered();
      const before = told(uuid).length;
      expect(await api(`uuid_broadcast ${uuid} ${TONE};loops=-1 aleg`)).toBe('+OK Message sent\n');
      await soon(() => told(uuid).slice(before)).toEqual(['EXECUTE playback', 'PLAYBACK_START']);
      expect(await api(`uuid_break ${uuid} all`)).toBe('+OK\n');
      await soon(() => told(uuid).slice(before + 2)).toEqual(['PLAYBACK_STOP', 'EXECUTE_COMPLETE playback']);
    });

    it('holds and takes back', async () => {
      const { call, uuid } = await answered();
      expect(await api(`uuid_hold ${uuid}`)).toBe('+OK Success\n');
      await soon(() => told(uuid).at(-1)).toBe('HOLD');
      await soon(() => call.received.at(-1)?.body ?? '').toContain('a=sendonly');
      expect(await api(`uuid_hold off ${uuid}`)).toBe('+OK Success\n');
      await soon(() => told(uuid).at(-1)).toBe('UNHOLD');
      await soon(() => call.received.at(-1)?.body ?? '').not.toContain('a=sendonly');
    });

    it('records, and says how long', async () => {
      const { uuid } = await answered();
      const path = `${server.recordings}/x.wav`;
      for (const what of ['start', 'mask', 'unmask', 'stop'])
        expect(await api(`uuid_record ${uuid} ${what} ${path}`)).toBe('+OK Success\n');
      await soon(() => told(uuid, 'RECORD_START', 'RECORD_STOP')).toEqual(['RECORD_START', 'RECORD_STOP']);
      const stop = events.find(({ name }) => name === 'RECORD_STOP')!.fields;
      expect(stop.get('Record-File-Path')).toBe(path);
      expect(Number(stop.get('variable_record_ms'))).toBeGreaterThanOrEqual(0);
      expect(await api(`uuid_record ${uuid} stop ${path}`)).toBe('-ERR Cannot stop record session!\n');
    });

    it('takes digits of the far end', async () => {
      const { call, uuid } = await answered();
      await call.info('Signal=5\r\nDuration=160\r\n');
      await soon(() => told(uuid)).toContain('DTMF');
      expect(events.find(({ name }) => name === 'DTMF')?.fields.get('DTMF-Digit')).toBe('5');
    });

    it('asks for digits', async () => {
      const { call, uuid } = await answered();
      const ask = `play_and_get_digits:1 4 1 5000 # silence_stream://5000 silence got \\d+`;
      await api(`uuid_transfer ${uuid} ${program(ask, 'park')}`);
      await soon(() => told(uuid).at(-1)).toBe('PLAYBACK_START');
      for (const key of '12#') await call.info(`Signal=${key}\r\nDuration=160\r\n`);
      await soon(() => told(uuid).at(-1)).toBe('PARK');
      expect(await api(`uuid_getvar ${uuid} got`)).toBe('12');
      expect(await api(`uuid_getvar ${uuid} read_terminator_used`)).toBe('#');
    });

    it("tells by an event of one's own", async () => {
      const { uuid } = await answered();
      const headers = 'Event-Name=CUSTOM,Event-Subclass=conference::maintenance,Got=a\\\\,${read_codec}';
      await api(`uuid_broadcast ${uuid} 'event::${headers}' aleg`);
      await soon(() => told(uuid).at(-1)).toBe('EXECUTE_COMPLETE event');
      const custom = events.find(({ name, fields }) => name === 'CUSTOM' && fields.has('Got'));
      expect(custom?.fields.get('Got')).toBe('a,PCMU');
      expect(custom?.fields.get('Unique-ID')).toBe(uuid);
    });

    it('brings legs into a room, mutes them, and lets them go', async () => {
      const [a, b] = [await answered(), await answered()];
      for (const { uuid } of [a, b])
        await api(`uuid_transfer ${uuid} ${program('conference:acme.room1@default', 'park')}`);
      for (const { uuid } of [a, b]) await soon(() => told(uuid)).toContain('CUSTOM add-member');
      const id = (await api(`uuid_getvar ${b.uuid} conference_member_id`)).trim();
      const list = JSON.parse(await api('conference acme.room1 json_list'));
      expect(list[0].members.map(({ uuid }: { uuid: string }) => uuid).toSorted()).toEqual(
        [a.uuid, b.uuid].toSorted(),
      );
      expect(await api(`conference acme.room1 mute ${id}`)).toBe(`+OK mute ${id}\n`);
      await soon(() => told(b.uuid)).toContain('CUSTOM mute-member');
      expect(await api(`conference acme.room1 kick ${id}`)).toBe(`+OK kicked ${id}\n`);
      await soon(() => told(b.uuid).slice(-3)).toEqual([
        ...['EXECUTE_COMPLETE conference', 'EXECUTE park', 'PARK'],
      ]);
      expect(told(b.uuid)).toContain('CUSTOM del-member');
      await a.call.bye();
      await soon(() => events.some(({ fields }) => fields.get('Action') === 'conference-destroy')).toBe(true);
      expect(told(a.uuid).slice(-5)).toEqual([
        ...['HANGUP', 'CUSTOM del-member', 'EXECUTE_COMPLETE conference', 'HANGUP_COMPLETE', 'DESTROY'],
      ]);
    });

    it('lets a supervisor hear a call until it is over', async () => {
      const [a, s] = [await answered(), await answered()];
      await api(`uuid_transfer ${s.uuid} ${program(`eavesdrop:${a.uuid}`)}`);
      await soon(() => told(s.uuid).at(-1)).toBe('EXECUTE eavesdrop');
      await a.call.bye();
      expect((await s.call.ended).by).toBe('remote');
    });

    describe('originate', () => {
      const UUID = '11111111-2222-4333-8444-555555555555';
      const vars = (more = '') =>
        `{origination_uuid=${UUID},sip_h_X-Callmesh-Session=${SESSION['X-Callmesh-Session']},originate_timeout=1${more}}`;

      it('calls, and then does its program', async () => {
        const sessions = onCall('answer');
        const reply = await api(`originate ${vars()}${aor()} ${program(`playback:${TONE}`, 'park')}`);
        expect(reply).toBe(`+OK ${UUID}\n`);
        expect(sessions[0]!.invite.headers.get('X-Callmesh-Session')).toBe(SESSION['X-Callmesh-Session']);
        await soon(() => told(UUID)).toEqual([
          ...['CREATE', 'PROGRESS', 'ANSWER', 'EXECUTE playback', 'PLAYBACK_START', 'PLAYBACK_STOP'],
          ...['EXECUTE_COMPLETE playback', 'EXECUTE park', 'PARK'],
        ]);
      });

      it.each([
        [486, 'USER_BUSY'],
        ['ring', 'NO_ANSWER'],
      ] as const)('fails when the called one does %s', async (how, cause) => {
        onCall(how);
        expect(await api(`originate ${vars()}${aor()} &park()`)).toBe(`-ERR ${cause}\n`);
        await soon(() => told(UUID).at(-1)).toBe('DESTROY');
        expect(last(UUID, 'Hangup-Cause')).toBe(cause);
      });
    });
  });
}
