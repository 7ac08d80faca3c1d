import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StandinNode } from '../node/node.ts';
import { soon } from '../soon.test-support.ts';
import { Uac } from '../uac.ts';
import { EslClient } from './client.test-support.ts';
import { urlEncode } from './event.ts';
import { matchesFilters } from './filters.ts';
import { CommandReader } from './frames.ts';

interface Recorded {
  dialogues: { name: string; sent: string; answer: string }[];
  events: Record<string, string[]>;
  show: { channels: string[]; calls: string[] };
}

/** What a real FreeSWITCH 1.11.2 sent and answered, byte for byte. */
const recorded = JSON.parse(
  readFileSync(new URL('./recorded/freeswitch-1.11.2.json', import.meta.url), 'utf8'),
) as Recorded;

let node: StandinNode;
let uac: Uac;
beforeAll(async () => {
  node = await StandinNode.start({ id: 'fs-1', password: 'secret', heartbeatS: 0.2 });
  uac = await Uac.open();
});
afterAll(() => {
  uac?.close();
  node?.kill();
});

const connect = (auth = true) => EslClient.open(node.eslAddress, auth ? 'secret' : undefined);

describe('a command is answered as a real FreeSWITCH answers it', () => {
  const anyUuid = (text: string) => text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID');

  it.each(recorded.dialogues)('$name', async ({ name, sent, answer }) => {
    const client = await connect(!/^(command-before-auth|auth-wrong)/.test(name));
    client.write(sent);
    expect(anyUuid((await client.message()).raw)).toBe(anyUuid(answer));
    client.close();
  });

  it('pipelined commands are answered in order, a slow one holding up the next', async () => {
    const client = await connect();
    client.write('api msleep 30\n\napi hostname\n\nbgapi status\n\napi uuid_exists x\n\n');
    const answers = [
      await client.message(),
      await client.message(),
      await client.message(),
      await client.message(),
    ];
    expect(answers[0]?.body).toBe('+OK');
    expect(answers[2]?.headers.get('reply-text')).toMatch(/^\+OK Job-UUID: /);
    expect(answers[3]?.body).toBe('false');
    client.close();
  });

  it('exit and a wrong password end with the notice and a close', async () => {
    const client = await connect();
    client.write('exit\n\n');
    await client.message();
    expect((await client.message()).body).toContain('Disconnected, goodbye.');
    await client.closed;
  });
});

describe('events', () => {
  it('of a call come in the order and with the fields of a real FreeSWITCH', async () => {
    const client = await connect();
    await client.command('event plain ALL');
    const call = uac.call({
      proxy: node.sip,
      to: 'sip:1000@acme',
      headers: { 'X-Callmesh-Session': 'abcd' },
    });
    await call.outcome;
    await call.bye();
    const events = await client.events('CHANNEL_DESTROY');
    const names = events
      .map((event) => event.name)
      .filter((name) => !/STATE|EXECUTE|HEARTBEAT|PARK/.test(name));
    expect(names).toEqual([
      'CHANNEL_CREATE',
      'CHANNEL_ANSWER',
      'CHANNEL_HANGUP',
      'CHANNEL_HANGUP_COMPLETE',
      'CHANNEL_DESTROY',
    ]);
    for (const name of names.slice(0, 4)) {
      const event = events.find((candidate) => candidate.name === name)!;
      // Everything but variables is there; of the variables, those the mesh reads.
      const wanted = recorded.events[name]?.filter((field) => !field.startsWith('variable_')) ?? [];
      expect(wanted.filter((field) => !event.fields.has(field))).toEqual([]);
    }
    const end = events.find(({ name }) => name === 'CHANNEL_HANGUP_COMPLETE')!.fields;
    expect(Object.fromEntries(end)).toMatchObject({
      'Hangup-Cause': 'NORMAL_CLEARING',
      'Core-UUID': node.coreUuid,
      'FreeSWITCH-Switchname': 'fs-1',
      variable_sip_call_id: call.callId,
      'variable_sip_h_X-Callmesh-Session': 'abcd',
      variable_rtp_audio_in_mos: '4.50',
      variable_sip_hangup_disposition: 'recv_bye',
    });
    client.close();
  });

  it('come as JSON too, and only those asked for', async () => {
    const client = await connect();
    await client.command('event json CHANNEL_ANSWER');
    const call = uac.call({ proxy: node.sip, to: 'sip:1000@acme' });
    await call.outcome;
    const answer = JSON.parse((await client.message()).body) as Record<string, string>;
    expect(answer).toMatchObject({
      'Event-Name': 'CHANNEL_ANSWER',
      'Answer-State': 'answered',
      'Channel-Call-State': 'RINGING',
    });
    await call.bye();
    client.close();
  });

  it('HEARTBEAT counts legs', async () => {
    const client = await connect();
    await client.command('event plain HEARTBEAT');
    const call = uac.call({ proxy: node.sip, to: 'sip:1000@acme' });
    await call.outcome;
    const [beat] = await client.events('HEARTBEAT');
    expect(beat?.fields.get('Session-Count')).toBe('1');
    expect(recorded.events.HEARTBEAT?.filter((field) => !beat?.fields.has(field))).toEqual([]);
    await call.bye();
    client.close();
  });

  it('the result of bgapi comes as BACKGROUND_JOB with the given id', async () => {
    const client = await connect();
    await client.command('event plain BACKGROUND_JOB');
    await client.command('bgapi strftime\nJob-UUID: my-own');
    const [job] = await client.events('BACKGROUND_JOB');
    expect(job?.fields.get('Job-UUID')).toBe('my-own');
    expect(job?.body).toMatch(/^\d{4}-\d\d-\d\d /);
    client.close();
  });

  it('DTMF, hold and unhold are told', async () => {
    const client = await connect();
    await client.command('event plain DTMF CHANNEL_HOLD CHANNEL_UNHOLD');
    const call = uac.call({ proxy: node.sip, to: 'sip:1000@acme' });
    await call.outcome;
    await call.info('Signal=7\r\nDuration=160\r\n');
    await call.hold();
    await call.reinvite();
    const events = await client.events('CHANNEL_UNHOLD');
    expect(events.map(({ name }) => name)).toEqual(['DTMF', 'CHANNEL_HOLD', 'CHANNEL_UNHOLD']);
    expect(events[0]?.fields.get('DTMF-Digit')).toBe('7');
    await call.bye();
    client.close();
  });
});

describe('commands about calls', () => {
  it('show channels and calls as json have the columns of a real FreeSWITCH', async () => {
    const client = await connect();
    const call = uac.call({ proxy: node.sip, to: 'sip:1000@acme' });
    await call.outcome;
    for (const [what, columns] of Object.entries(recorded.show)) {
      const shown = JSON.parse(await client.api(`show ${what} as json`)) as {
        row_count: number;
        rows: object[];
      };
      expect(shown.row_count).toBe(1);
      expect(Object.keys(shown.rows[0] ?? {})).toEqual(columns);
    }
    await call.bye();
    client.close();
  });

  it('uuid_kill hangs up with the cause, hupall hangs up all', async () => {
    const client = await connect();
    const calls = [1, 2, 3].map((i) => uac.call({ proxy: node.sip, to: `sip:${i}@acme` }));
    await Promise.all(calls.map(({ outcome }) => outcome));
    const uuid = [...node.channels.keys()][0]!;
    expect(await client.api(`uuid_getvar ${uuid} direction`)).toBe('inbound');
    expect(await client.api(`uuid_kill ${uuid} USER_BUSY`)).toBe('+OK\n');
    expect((await calls[0]!.ended).message?.headers.get('reason')).toContain('cause=17');
    await client.api('hupall');
    await Promise.all(calls.map(({ ended }) => ended));
    expect(node.channels.size).toBe(0);
    client.close();
  });

  it('originate calls out and uuid_bridge joins two legs', async () => {
    const client = await connect();
    const far = await StandinNode.start({ id: 'far' });
    const dial = (user: string) =>
      client.api(`originate {sip_h_X-Test=1}sofia/internal/${user}@${far.sip} &park()`);
    const [a, b] = [(await dial('1')).slice(4).trim(), (await dial('2')).slice(4).trim()];
    expect([...far.channels.values()][0]?.variables.get('sip_h_X-Test')).toBe('1');
    // Of its own: the event may come before the answer to the command.
    const listener = await connect();
    await listener.command('event plain CHANNEL_BRIDGE');
    expect(await client.api(`uuid_bridge ${a} ${b}`)).toBe(`+OK ${b}\n`);
    const [bridge] = await listener.events('CHANNEL_BRIDGE');
    listener.close();
    expect(bridge?.fields.get('Bridge-B-Unique-ID')).toBe(b);
    expect(node.channels.get(a!)?.peer?.uuid).toBe(b);
    far.hangupAll('NORMAL_CLEARING');
    await soon(() => node.channels.size).toBe(0);
    expect(
      await client.api(`originate sofia/internal/1@${far.sip.replace(/:.*/, ':1;transport=tcp')} &park()`),
    ).toBe('-ERR NORMAL_TEMPORARY_FAILURE\n');
    far.kill();
    client.close();
  });
});

describe('framing', () => {
  it('gives the same commands however the bytes are cut', () => {
    const line = fc.stringMatching(/^[a-z][a-z _]{0,15}$/);
    const text = fc.string({ maxLength: 20 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, text), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(15)),
        (sent, cuts) => {
          const bytes = Buffer.from(
            sent
              .map(([command, body]) => `${command}\nContent-Length: ${Buffer.byteLength(body)}\n\n${body}`)
              .join(''),
          );
          const reader = new CommandReader();
          const got: [string, string][] = [];
          let at = 0;
          for (const cut of [...cuts, bytes.length]) {
            for (const command of reader.push(bytes.subarray(at, at + cut)))
              got.push([command.line, command.body]);
            at += cut;
          }
          expect(got).toEqual(sent);
        },
      ),
    );
  });

  it('event values are encoded so that they decode to themselves and stay on their line', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
        (text) => {
          const encoded = urlEncode(text);
          expect(encoded).toMatch(/^[\x21-\x7e]*$/);
          expect(decodeURIComponent(encoded)).toBe(text);
        },
      ),
    );
  });

  it('filters are or-ed, and a negative one alone lets nothing through', () => {
    const headers: [string, string][] = [
      ['Event-Name', 'DTMF'],
      ['Unique-ID', 'a'],
    ];
    const pass = (...filters: [string, string][]) =>
      matchesFilters(
        filters.map(([name, value]) => ({ name, value })),
        headers,
      );
    expect(pass()).toBe(true);
    expect(pass(['Event-Name', 'X'], ['unique-id', 'A'])).toBe(true);
    expect(pass(['Event-Name', 'X'])).toBe(false);
    expect(pass(['Event-Name', '-HEARTBEAT'])).toBe(false);
    expect(pass(['Unique-ID', 'a'], ['Event-Name', '-DTMF'])).toBe(false);
    expect(pass(['Event-Name', '/^D.*F$/'])).toBe(true);
  });
});
