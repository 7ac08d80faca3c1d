import type { Channel } from '../node/channel.ts';
import { localStamp } from '../node/clock.ts';
import type { StandinNode } from '../node/node.ts';
import { escapeXml } from './event.ts';

type Row = Record<string, string>;

const USAGE =
  '-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say|interfaces|interface_types|tasks|limits|status\n';

/** `show channels|calls|bridged_calls [count] [like x] [as json|xml|delim x]`. */
export function show(node: StandinNode, argument: string): string {
  const words = argument.split(/\s+/);
  const as = words.indexOf('as');
  const format = as < 0 ? 'csv' : (words[as + 1] ?? 'csv').toLowerCase();
  const what = words[0]?.toLowerCase() ?? '';
  const count = words[1]?.toLowerCase() === 'count';
  const rows = rowsOf(node, what, words[1]?.toLowerCase() === 'like' ? words[2] : undefined);
  if (!rows) return USAGE;
  if (format === 'json') return asJson(rows, count);
  if (format === 'xml') return asXml(rows, count);
  return asText(rows, count);
}

function rowsOf(node: StandinNode, what: string, like: string | undefined): Row[] | undefined {
  const channels = [...node.channels.values()];
  if (what === 'channels') {
    const rows = channels.map((channel) => channelRow(node.id, channel));
    return like === undefined
      ? rows
      : rows.filter((row) => Object.values(row).some((value) => value.includes(like)));
  }
  if (what === 'calls' || what === 'detailed_calls') {
    return channels
      .filter((channel) => !channel.peer || channel.originator)
      .map((channel) => callRow(node.id, channel));
  }
  if (what === 'bridged_calls' || what === 'detailed_bridged_calls') {
    return channels
      .filter((channel) => channel.originator && channel.peer)
      .map((channel) => callRow(node.id, channel));
  }
  return ['registrations', 'aliases', 'tasks', 'limits', 'modules', 'nat_map'].includes(what)
    ? []
    : undefined;
}

function channelRow(switchname: string, channel: Channel): Row {
  const { profile } = channel;
  const created = channel.times.created;
  const codec =
    channel.direction === 'inbound' || channel.answered ? ['PCMU', '8000', '64000'] : ['', '', ''];
  const calleeName = profile.calleeNumber === undefined ? '' : 'Outbound Call';
  return {
    uuid: channel.uuid,
    direction: channel.direction,
    created: localStamp(created / 1000),
    created_epoch: String(Math.floor(created / 1e6)),
    name: channel.name,
    state: channel.state,
    cid_name: profile.callerName,
    cid_num: profile.callerNumber,
    ip_addr: profile.networkAddr,
    dest: profile.destination,
    application: channel.application.name,
    application_data: channel.application.data,
    dialplan: 'XML',
    context: profile.context,
    read_codec: codec[0] ?? '',
    read_rate: codec[1] ?? '',
    read_bit_rate: codec[2] ?? '',
    write_codec: codec[0] ?? '',
    write_rate: codec[1] ?? '',
    write_bit_rate: codec[2] ?? '',
    secure: '',
    hostname: switchname,
    presence_id: '',
    presence_data: '',
    accountcode: channel.variables.get('accountcode') ?? '',
    callstate: channel.callState,
    callee_name: calleeName,
    callee_num: profile.calleeNumber ?? '',
    callee_direction: channel.peer ? 'SEND' : '',
    call_uuid: channel.variables.get('call_uuid') ?? '',
    sent_callee_name: '',
    sent_callee_num: '',
    initial_cid_name: profile.callerName,
    initial_cid_num: profile.callerNumber,
    initial_ip_addr: profile.networkAddr,
    initial_dest: profile.destination,
    initial_dialplan: 'XML',
    initial_context: profile.context,
  };
}

const CALL_COLUMNS =
  `uuid direction created created_epoch name state cid_name cid_num ip_addr dest presence_id
  presence_data accountcode callstate callee_name callee_num callee_direction call_uuid hostname sent_callee_name
  sent_callee_num`.split(/\s+/);

/** A bridged pair is one row, the B leg's columns prefixed. */
function callRow(switchname: string, channel: Channel): Row {
  const a = channelRow(switchname, channel);
  const b = channel.peer ? channelRow(switchname, channel.peer) : undefined;
  const row: Row = {};
  for (const name of CALL_COLUMNS) row[name] = a[name] ?? '';
  for (const name of CALL_COLUMNS) {
    if (name !== 'call_uuid' && name !== 'hostname') row[`b_${name}`] = b?.[name] ?? '';
  }
  row.call_created_epoch = b ? (a.created_epoch ?? '') : '';
  return row;
}

function asJson(rows: Row[], count: boolean): string {
  if (count) return `{"row_count":${rows.length},"rows":[]}`;
  return rows.length === 0 ? '{"row_count": 0}\n' : JSON.stringify({ row_count: rows.length, rows });
}

function asXml(rows: Row[], count: boolean): string {
  if (rows.length === 0 || count) return `<result row_count="${rows.length}"/>\n`;
  const body = rows.map((row, index) => {
    const fields = Object.entries(row).map(([name, value]) => `    <${name}>${escapeXml(value)}</${name}>\n`);
    return `  <row row_id="${index + 1}">\n${fields.join('')}  </row>\n`;
  });
  return `<result row_count="${rows.length}">\n${body.join('')}</result>\n`;
}

function asText(rows: Row[], count: boolean): string {
  const total = `\n${rows.length} total.\n`;
  if (count || rows.length === 0) return total;
  const head = Object.keys(rows[0] as Row).join(',');
  return `${head}\n${rows.map((row) => `${Object.values(row).join(',')}\n`).join('')}${total}`;
}
