import { LegSummary, type MediaQuality } from '@callmesh/proto/call';
import { type Fields, firstOf } from './fields.ts';
import type { Leg } from './leg.ts';
import { milliseconds } from './times.ts';

/**
 * All of one leg that has ended: what FreeSWITCH says at its hangup, and what was
 * seen before where it does not say (any more): a leg found gone has only that.
 */
export function summaryOf(leg: Leg, fields: Fields, now: number): LegSummary {
  const answeredAt = milliseconds(fields, 'Caller-Channel-Answered-Time') || leg.answeredAt;
  const ended = endOf(fields);
  return LegSummary.fromPartial({
    createdAt: date(leg.createdAt),
    progressAt: date(progressOf(leg, fields, answeredAt)),
    answeredAt: date(answeredAt),
    bridgedAt: date(leg.bridgedAt || milliseconds(fields, 'Caller-Channel-Bridged-Time')),
    endedAt: date(milliseconds(fields, 'Caller-Channel-Hangup-Time') || now),
    endedBy: ended,
    sipStatus: statusOf(fields, answeredAt > 0),
    q850Cause: fields.number('variable_hangup_cause_q850') ?? 0,
    readCodec: fields.get('Channel-Read-Codec-Name') ?? '',
    writeCodec: fields.get('Channel-Write-Codec-Name') ?? '',
    quality: qualityOf(fields),
    lastBridgeUuid: leg.lastBridge || (fields.variable('last_bridge_to') ?? ''),
    transferred: leg.transferred || transferredBy(fields),
    farAddress: firstOf(fields, [
      'variable_sip_network_ip',
      'variable_sip_received_ip',
      'Caller-Network-Addr',
    ]),
  });
}

function date(at: number): Date | undefined {
  return at > 0 ? new Date(at) : undefined;
}

/** FreeSWITCH sets the time of early media at the answer when there was none before. */
function progressOf(leg: Leg, fields: Fields, answeredAt: number): number {
  const times = ['Caller-Channel-Progress-Time', 'Caller-Channel-Progress-Media-Time'].map((name) =>
    milliseconds(fields, name),
  );
  const known = times.some((at) => at > 0) ? times : [leg.progressAt];
  const before = known.filter((at) => at > 0 && (answeredAt === 0 || at < answeredAt));
  return before.length > 0 ? Math.min(...before) : 0;
}

function endOf(fields: Fields): 'far' | 'near' | '' {
  const disposition = fields.variable('sip_hangup_disposition') ?? '';
  if (disposition.startsWith('recv_')) return 'far';
  return disposition.startsWith('send_') ? 'near' : '';
}

function statusOf(fields: Fields, answered: boolean): number {
  const said =
    fields.number('variable_sip_term_status') ?? fields.number('variable_sip_invite_failure_status');
  return said ?? (answered ? 200 : 0);
}

/** A leg that received no packet at all would still be called perfect. */
function qualityOf(fields: Fields): MediaQuality | undefined {
  const number = (name: string) => Math.max(0, fields.number(`variable_rtp_audio_${name}`) ?? 0);
  const packets = number('in_media_packet_count');
  if (!(packets > 0)) return undefined;
  return {
    mos: number('in_mos'),
    qualityPercent: number('in_quality_percentage'),
    jitterMaxVariance: number('in_jitter_max_variance'),
    packets,
    lost: number('in_skip_packet_count'),
    packetsSent: number('out_media_packet_count'),
  };
}

/** By command, by the far end's REFER, or attended; a program is no transfer, though FreeSWITCH calls it one. */
function transferredBy(fields: Fields): boolean {
  if (fields.variable('callmesh_transferred') === 'true') return true;
  const history = fields.variable('transfer_history') ?? '';
  return history.includes(':att_xfer:') || /:bl_xfer:(?!m:)/.test(history);
}
