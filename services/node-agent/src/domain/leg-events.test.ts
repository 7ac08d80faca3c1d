import { CallEvent } from '@callmesh/proto/call';
import { Node, NodeRole } from '@callmesh/proto/node';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { fields } from '../../test/support/fields.ts';
import { callEventOf } from './call-event.ts';
import type { Fields } from './fields.ts';
import { LegTable } from './leg-table.ts';

const OURS = {
  'variable_sip_h_X-Callmesh-Session': '0123456789abcdef',
  'variable_sip_h_X-Callmesh-Tenant': 'acme',
  'variable_sip_h_X-Callmesh-Function': 'general',
  'variable_sip_h_X-Callmesh-Agent': 'alice@acme.example',
  'variable_sip_h_X-Callmesh-Trunk': 'came-by',
  'Call-Direction': 'inbound',
};
const node = Node.create({ id: 'fs-1', role: NodeRole.NODE_ROLE_MEDIA, epoch: 'e' });

let table: LegTable;
let sequence = 0;

beforeEach(() => {
  table = new LegTable();
});

/** What is told of an event of FreeSWITCH. */
function tell(name: string, uuid: string, more: Record<string, string | number> = {}): CallEvent[] {
  const event = fields(name, { 'Unique-ID': uuid, 'Event-Sequence': sequence++, ...more });
  return told(event);
}

function told(event: Fields): CallEvent[] {
  return table
    .apply(event, 1_000)
    .map((one) => callEventOf(one, event, { node, recordings: '/rec', now: 1_000 }));
}

describe('whose a leg is', () => {
  it('says the caller’s headers of a call that came in', () => {
    expect(tell('CHANNEL_CREATE', 'a', OURS)[0]).toMatchObject({
      ...{ tenantId: 'acme', function: 'general', agentId: 'alice@acme.example', trunkId: 'came-by' },
    });
  });

  it('of a leg that is called, its own variables say; the headers are about whoever calls', () => {
    const called = { ...OURS, 'Call-Direction': 'outbound', variable_callmesh_agent: 'bob@acme.example' };
    expect(tell('CHANNEL_CREATE', 'b', called)[0]).toMatchObject({
      ...{ tenantId: 'acme', agentId: 'bob@acme.example', trunkId: '' },
    });
  });

  it('from outside says nothing of it, until the dialplan does', () => {
    const outside = { ...OURS, variable_sofia_profile_name: 'carriers' };
    expect(tell('CHANNEL_CREATE', 'a', outside)[0]).toMatchObject({
      tenantId: '',
      sessionId: '',
      trunkId: '',
    });
    const said = {
      ...{ ...outside, variable_callmesh_session: 'fedcba9876543210', variable_callmesh_tenant: 'globex' },
      variable_callmesh_trunk: 'carrier-1',
    };
    expect(tell('CHANNEL_ANSWER', 'a', said)[0]).toMatchObject({
      ...{ tenantId: 'globex', sessionId: 'fedcba9876543210', trunkId: 'carrier-1' },
    });
    expect(table.takeStarted()).toEqual(['fedcba9876543210']);
  });

  it('is not said anew by variables once it is known', () => {
    tell('CHANNEL_CREATE', 'a', OURS);
    const other = { variable_callmesh_session: 'fedcba9876543210', variable_callmesh_tenant: 'globex' };
    expect(tell('CHANNEL_ANSWER', 'a', other)[0]).toMatchObject({ tenantId: 'acme' });
  });
});

describe('what happens to a leg', () => {
  beforeEach(() => {
    for (const uuid of ['a', 'b', 'c']) tell('CHANNEL_CREATE', uuid, OURS);
  });
  const names = (events: CallEvent[]) => events.map(({ event, legUuid }) => `${event} ${legUuid}`);
  const bridge = (name: string, a: string, b: string) =>
    names(tell(name, a, { 'Bridge-A-Unique-ID': a, 'Bridge-B-Unique-ID': b }));

  it('is numbered, leg by leg', () => {
    expect(tell('CHANNEL_ANSWER', 'a')[0]).toMatchObject({ event: 'answered', ordinal: 2 });
    expect(tell('DTMF', 'a', { 'DTMF-Digit': '1' })[0]).toMatchObject({ ordinal: 3 });
    expect(tell('CHANNEL_ANSWER', 'b')[0]).toMatchObject({ ordinal: 2 });
  });

  it('connects both legs, and each is told of the other', () => {
    expect(bridge('CHANNEL_BRIDGE', 'a', 'b')).toEqual(['bridged a', 'bridged b']);
    expect(bridge('CHANNEL_UNBRIDGE', 'a', 'b')).toEqual(['unbridged a', 'unbridged b']);
  });

  it('an old connection’s end is no news to a leg that has another, or has ended', () => {
    bridge('CHANNEL_BRIDGE', 'a', 'b');
    bridge('CHANNEL_BRIDGE', 'a', 'c');
    tell('CHANNEL_HANGUP_COMPLETE', 'b');
    expect(bridge('CHANNEL_UNBRIDGE', 'a', 'b')).toEqual([]);
  });

  it('holds and takes back, once each, by the far end or by command', () => {
    expect(names(tell('CHANNEL_HOLD', 'a'))).toEqual(['held a']);
    expect(tell('CHANNEL_HOLD', 'a')).toEqual([]);
    expect(table.hold('a', true)).toEqual([]);
    expect(names(tell('CHANNEL_UNHOLD', 'a'))).toEqual(['unheld a']);
    expect(tell('CHANNEL_UNHOLD', 'a')).toEqual([]);
    expect(table.hold('a', true)).toHaveLength(1);
    expect(tell('CHANNEL_UNHOLD', 'a')).toEqual([]);
    expect(table.hold('a', false)).toHaveLength(1);
  });

  it.each([
    ['RTP', 'rtp'],
    ['ENDPOINT', 'info'],
    ['INBAND_AUDIO', 'inband'],
    ['ELSE', 'unknown'],
  ])('a digit by %s came by %s', (source, expected) => {
    const digit = { 'DTMF-Digit': '#', 'DTMF-Duration': '1600', 'DTMF-Source': source };
    expect(tell('DTMF', 'a', digit)[0]).toMatchObject({ digit: '#', digitMs: 200, digitSource: expected });
  });

  it('a digit that an application put in came from nobody', () => {
    expect(tell('DTMF', 'a', { 'DTMF-Digit': '#', 'DTMF-Source': 'APP' })).toEqual([]);
  });

  it('records, by the path below the folder', () => {
    const path = { 'Record-File-Path': '/rec/acme/x.wav' };
    expect(tell('RECORD_START', 'a', path)[0]).toMatchObject({ event: 'recording', recording: 'acme/x.wav' });
    expect(table.get('a')?.recordings).toEqual(['/rec/acme/x.wav']);
    expect(tell('RECORD_STOP', 'a', { ...path, variable_record_ms: '1460' })[0]).toMatchObject({
      ...{ event: 'recorded', recording: 'acme/x.wav', recordingMs: 1460 },
    });
    expect(table.get('a')?.recordings).toEqual([]);
  });

  it('is in a room of its tenant, by the room’s own name', () => {
    const conference = {
      'Event-Subclass': 'conference::maintenance',
      'Conference-Name': 'acme.board.1',
      'Member-ID': '7',
    };
    expect(tell('CUSTOM', 'a', { ...conference, Action: 'add-member' })[0]).toMatchObject({
      event: 'joined',
      room: 'board.1',
    });
    expect(table.get('a')).toMatchObject({ room: 'board.1', member: '7' });
    expect(tell('CUSTOM', 'a', { ...conference, Action: 'start-talking' })).toEqual([]);
    expect(tell('CUSTOM', 'a', { ...conference, Action: 'del-member' })[0]).toMatchObject({
      event: 'left',
      room: 'board.1',
    });
    expect(table.get('a')).toMatchObject({ room: '', member: '' });
  });
});

describe('the summary of a leg', () => {
  const times = {
    'Caller-Channel-Created-Time': '1000000000',
    'Caller-Channel-Progress-Time': '2000000000',
    'Caller-Channel-Progress-Media-Time': '4000000000',
    'Caller-Channel-Answered-Time': '4000000000',
    'Caller-Channel-Bridged-Time': '5000000000',
    'Caller-Channel-Hangup-Time': '9000000000',
  };
  const summary = (more: Record<string, string>) => {
    tell('CHANNEL_CREATE', 'a', { ...OURS, ...times });
    return tell('CHANNEL_HANGUP_COMPLETE', 'a', { ...times, ...more })[0]!.summary!;
  };
  const at = (ms: number) => new Date(ms);

  it('has FreeSWITCH’s times', () => {
    expect(summary({})).toMatchObject({
      ...{ createdAt: at(1_000_000), progressAt: at(2_000_000), answeredAt: at(4_000_000) },
      ...{ bridgedAt: at(5_000_000), endedAt: at(9_000_000) },
    });
  });

  it('leaves out what never came, and early media that is only the answer', () => {
    const never = { 'Caller-Channel-Progress-Time': '0', 'Caller-Channel-Bridged-Time': '0' };
    expect(summary(never)).toMatchObject({ progressAt: undefined, bridgedAt: undefined });
  });

  it.each([
    ['recv_bye', 'far'],
    ['recv_cancel', 'far'],
    ['recv_refuse', 'far'],
    ['send_bye', 'near'],
    ['send_refuse', 'near'],
    ['', ''],
  ])('says of %j that %j ended it', (variable_sip_hangup_disposition, endedBy) => {
    expect(summary({ variable_sip_hangup_disposition })).toMatchObject({ endedBy });
  });

  it('tells of quality only when something was received: FreeSWITCH calls silence perfect', () => {
    const perfect = { variable_rtp_audio_in_mos: '4.50', variable_rtp_audio_in_quality_percentage: '100.00' };
    expect(summary({ ...perfect, variable_rtp_audio_in_media_packet_count: '0' }).quality).toBeUndefined();
    table = new LegTable();
    const heard = {
      ...{
        ...perfect,
        variable_rtp_audio_in_media_packet_count: '50',
        variable_rtp_audio_in_skip_packet_count: '3',
      },
      ...{
        variable_rtp_audio_in_jitter_max_variance: '12.5',
        variable_rtp_audio_out_media_packet_count: '48',
      },
    };
    expect(summary(heard).quality).toEqual({
      ...{ mos: 4.5, qualityPercent: 100, jitterMaxVariance: 12.5, packets: 50, lost: 3, packetsSent: 48 },
    });
  });

  it.each([
    ['1:u:bl_xfer:m:^:answer/mesh/inline', false],
    ['1:u:bl_xfer:2000/mesh/XML', true],
    ['ARRAY::1:u:bl_xfer:m:^:answer/mesh/inline|:2:u:att_xfer:a@b/c@d', true],
    ['1:u:uuid_br:524a93f5', false],
  ])('takes %j for a transfer: %s', (variable_transfer_history, transferred) => {
    expect(summary({ variable_transfer_history })).toMatchObject({ transferred });
  });
});

it('takes any event, whatever is in it, and what is told can be sent', () => {
  const value = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.double().map(String),
    fc.constantFrom('-1', '1e308', '9'.repeat(30)),
  );
  const name = fc.constantFrom(
    ...[
      'Event-Date-Timestamp',
      'Event-Sequence',
      'Caller-Channel-Created-Time',
      'Caller-Channel-Answered-Time',
    ],
    ...[
      'Caller-Channel-Hangup-Time',
      'Caller-Channel-Progress-Time',
      'Bridge-A-Unique-ID',
      'Bridge-B-Unique-ID',
      'Action',
    ],
    ...[
      'DTMF-Digit',
      'DTMF-Duration',
      'DTMF-Source',
      'Record-File-Path',
      'variable_record_ms',
      'Conference-Name',
    ],
    ...[
      'variable_callmesh_session',
      'variable_callmesh_tenant',
      'variable_transfer_history',
      'Hangup-Cause',
      'Old-Unique-ID',
    ],
    ...[
      'variable_hangup_cause_q850',
      'variable_sip_term_status',
      'variable_rtp_audio_in_media_packet_count',
      'Member-ID',
    ],
  );
  const kind = fc.constantFrom(
    ...[
      'CHANNEL_CREATE',
      'CHANNEL_PROGRESS',
      'CHANNEL_ANSWER',
      'CHANNEL_BRIDGE',
      'CHANNEL_UNBRIDGE',
      'CHANNEL_HOLD',
    ],
    ...[
      'DTMF',
      'RECORD_START',
      'RECORD_STOP',
      'CUSTOM',
      'CHANNEL_UUID',
      'CHANNEL_HANGUP_COMPLETE',
      'CHANNEL_DESTROY',
      '__proto__',
    ],
  );
  const event = fc.tuple(kind, fc.constantFrom('a', 'b', ''), fc.dictionary(name, value, { maxKeys: 8 }));
  fc.assert(
    fc.property(fc.array(event, { maxLength: 12 }), (events) => {
      table = new LegTable();
      for (const [one, uuid, more] of events)
        for (const call of tell(one, uuid, { ...OURS, ...more, 'Event-Subclass': 'conference::maintenance' }))
          expect(() => JSON.stringify(CallEvent.toJSON(call))).not.toThrow();
    }),
    { numRuns: 500 },
  );
});
