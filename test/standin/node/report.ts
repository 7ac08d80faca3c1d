import { q850 } from './causes.ts';
import type { Channel } from './channel.ts';
import { localStamp } from './clock.ts';

/** The variables a channel has once it is over: times, durations and, when it had media, quality. */
export function finalVariables(channel: Channel, cause: string, mos: number): [string, string][] {
  const { times } = channel;
  const end = times.hangup ?? times.created;
  const answered = times.answered ?? 0;
  const duration = end - times.created;
  const billed = answered ? end - answered : 0;
  const vars: [string, string][] = [
    ['hangup_cause', cause],
    ['hangup_cause_q850', String(q850(cause))],
    ['sip_term_cause', String(q850(cause))],
    ['digits_dialed', 'none'],
    ['start_stamp', localStamp(times.created / 1000)],
    ['profile_start_stamp', localStamp(times.created / 1000)],
  ];
  if (answered) vars.push(['answer_stamp', localStamp(answered / 1000)]);
  vars.push(['end_stamp', localStamp(end / 1000)]);
  const epochs: [string, number][] = [
    ['start', times.created],
    ['profile_start', times.created],
    ['answer', answered],
    ['bridge', times.bridged ?? 0],
    ['last_hold', times.lastHold ?? 0],
    ['resurrect', 0],
    ['progress', times.progress ?? 0],
    ['progress_media', times.progressMedia ?? 0],
    ['end', end],
  ];
  for (const [name, us] of epochs) vars.push([`${name}_epoch`, seconds(us)], [`${name}_uepoch`, String(us)]);
  const { callerName, callerNumber } = channel.profile;
  const last = channel.lastApplication;
  if (last) vars.push(['last_app', last.name], ['last_arg', last.data]);
  vars.push(['caller_id', callerName ? `"${callerName}" <${callerNumber}>` : callerNumber]);
  const spans: [string, number][] = [
    ['duration', duration],
    ['billsec', billed],
    ['answersec', answered ? answered - times.created : 0],
    ['progresssec', times.progress ? times.progress - times.created : 0],
    ['waitsec', times.bridged ? times.bridged - times.created : 0],
  ];
  for (const [name, us] of spans) {
    const stem = name.replace(/sec$/, '');
    vars.push([name, seconds(us)]);
    // FreeSWITCH: duration, mduration, uduration, but billsec, billmsec, billusec.
    vars.push([stem === name ? `m${name}` : `${stem}msec`, milli(us)]);
    vars.push([stem === name ? `u${name}` : `${stem}usec`, String(us)]);
  }
  if (answered) vars.push(...quality(channel, billed, mos));
  return vars;
}

/** Without real RTP the packets are those a call of this length would have had. */
function quality(channel: Channel, billedUs: number, mos: number): [string, string][] {
  const made = Math.floor(billedUs / 20_000);
  const packetsIn = channel.rtp.bound ? channel.rtp.received : made;
  const packetsOut = channel.rtp.bound ? channel.rtp.sent : made;
  // FreeSWITCH derives MOS from the percentage of packets without flaw; here it is the other way round.
  const percentage = Math.max(0, Math.min(100, ((mos - 1) / 3.5) * 100));
  const direction = (way: string, packets: number): [string, string][] => [
    [`rtp_audio_${way}_raw_bytes`, String(packets * 172)],
    [`rtp_audio_${way}_media_bytes`, String(packets * 172)],
    [`rtp_audio_${way}_packet_count`, String(packets)],
    [`rtp_audio_${way}_media_packet_count`, String(packets)],
    [`rtp_audio_${way}_skip_packet_count`, '0'],
  ];
  return [
    ...direction('in', packetsIn),
    ['rtp_audio_in_jitter_min_variance', '0.00'],
    ['rtp_audio_in_jitter_max_variance', '0.00'],
    ['rtp_audio_in_jitter_loss_rate', '0.00'],
    ['rtp_audio_in_jitter_burst_rate', '0.00'],
    ['rtp_audio_in_mean_interval', '20.00'],
    ['rtp_audio_in_flaw_total', String(Math.round((packetsIn * (100 - percentage)) / 100))],
    ['rtp_audio_in_quality_percentage', percentage.toFixed(2)],
    ['rtp_audio_in_mos', mos.toFixed(2)],
    ...direction('out', packetsOut),
    ['rtp_audio_rtcp_packet_count', '0'],
  ];
}

function seconds(us: number): string {
  return String(Math.floor(us / 1e6));
}

function milli(us: number): string {
  return String(Math.floor(us / 1000));
}
