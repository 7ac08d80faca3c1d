import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { parseCause } from '../node/causes.ts';
import { localStamp, microseconds, uptimeParts, uptimeText } from '../node/clock.ts';
import type { StandinNode } from '../node/node.ts';
import { VERSION } from '../node/switchboard.ts';
import { conference } from './api-conference.ts';
import { control } from './api-control.ts';
import { lua } from './api-lua.ts';
import { mediaCommands } from './api-media.ts';
import { originate } from './api-originate.ts';
import { show } from './api-show.ts';
import { transferCommands } from './api-transfer.ts';
import { uuidCommands } from './api-uuid.ts';

/** One API command: the text FreeSWITCH would print, trailing newline and all. */
export type Api = (node: StandinNode, argument: string) => string | Promise<string>;

const COMMANDS: Record<string, Api> = {
  status,
  show,
  originate,
  fsctl: control,
  lua,
  conference,
  ...uuidCommands,
  ...mediaCommands,
  ...transferCommands,
  hupall,
  version: (_, argument) =>
    argument === 'short' ? `${VERSION}\n` : `FreeSWITCH Version ${VERSION}~64bit ( 64bit)\n`,
  hostname: () => hostname(),
  switchname: (node) => node.id,
  uptime: (node, unit) =>
    `${Math.floor((microseconds() - node.board.startedUs) / (unit === 'ms' ? 1e3 : 1e6))}\n`,
  strftime: () => localStamp(Date.now()),
  create_uuid: () => randomUUID(),
  global_getvar: (node, name) => globalVariable(node, name),
  global_setvar: (node, argument) => {
    const equals = argument.indexOf('=');
    if (equals < 1) return '-USAGE: <var>=<value> [=<value2>]\n';
    node.globals.set(argument.slice(0, equals), argument.slice(equals + 1));
    return '+OK';
  },
  reloadxml: () => '+OK [Success]\n',
  reloadacl: () => '+OK acl reloaded\n',
  module_exists: (_, name) => String(/^mod_(sofia|event_socket|commands|dptools|xml_curl|lua)$/.test(name)),
  msleep: (_, ms) => new Promise((resolve) => setTimeout(() => resolve('+OK'), Number(ms) || 0)),
  sofia: (node, argument) => sofia(node, argument),
  json: (node, argument) => jsonApi(node, argument),
};

/** Runs a command by its name in any case; an unknown one answers as FreeSWITCH does. */
export function runApi(node: StandinNode, command: string, argument: string): string | Promise<string> {
  const api = Object.hasOwn(COMMANDS, command.toLowerCase()) ? COMMANDS[command.toLowerCase()] : undefined;
  return api ? api(node, argument.trim()) : `-ERR ${command} Command not found!\n`;
}

function status(node: StandinNode): string {
  const { counter, settings } = node;
  const { peak, peakPerSecond } = counter;
  const last = counter.lastSecond();
  return [
    `UP ${uptimeText(microseconds() - node.board.startedUs)}`,
    `FreeSWITCH (Version ${VERSION}  64bit) is ready`,
    `${counter.total} session(s) since startup`,
    `${node.channels.size} session(s) - peak ${peak}, last 5min ${peak} `,
    `${last} session(s) per Sec out of max 30, peak ${peakPerSecond}, last 5min ${peakPerSecond} `,
    `${settings.max || 1000} session(s) max`,
    'min idle cpu 0.00/90.00',
    'Current Stack Size/Max 240K/8192K\n',
  ].join('\n');
}

function hupall(node: StandinNode, argument: string): string {
  const [word, variable, value] = argument.split(/\s+/);
  const cause = parseCause(word, 'MANAGER_REQUEST');
  if (variable && value) {
    node.hangupAll(cause, (channel) => channel.variables.get(variable) === value);
    return `+OK hangup all channels matching [${variable}]=[${value}] with cause: ${cause}\n`;
  }
  node.hangupAll(cause);
  return `+OK hangup all channels with cause ${cause}\n`;
}

function globalVariable(node: StandinNode, name: string): string {
  const own: Record<string, string> = {
    hostname: hostname(),
    switchname: node.id,
    core_uuid: node.coreUuid,
    local_ip_v4: node.agent.host,
    domain: node.agent.host,
    max_sessions: String(node.settings.max || 1000),
  };
  if (name === '') {
    return [...Object.entries(own), ...node.globals].map(([key, value]) => `${key}=${value}\n`).join('');
  }
  return node.globals.get(name) ?? own[name] ?? '';
}

function sofia(node: StandinNode, argument: string): string {
  const line = '='.repeat(97);
  const url = `sip:mod_sofia@${node.sip}`;
  const state = `RUNNING (${node.channels.size})`;
  if (argument === 'status') {
    const head = `${'Name'.padStart(25)}\t${'Type'.padStart(7)}\t${'Data'.padStart(42)}\tState`;
    const row = `${'internal'.padStart(25)}\tprofile\t${url.padStart(42)}\t${state}`;
    return `${head}\n${line}\n${row}\n${line}\n1 profile 0 aliases\n`;
  }
  if (argument === 'xmlstatus') {
    const fields = `<name>internal</name>\n<type>profile</type>\n<data>${url}</data>\n<state>${state}</state>`;
    return `<?xml version="1.0" encoding="ISO-8859-1"?>\n<profiles>\n<profile>\n${fields}\n</profile>\n</profiles>\n`;
  }
  if (/^status profile internal\b/.test(argument)) {
    return `${line}\nName             \tinternal\nURL              \t${url}\nBIND-URL         \t${url};transport=udp,tcp\n${line}\n`;
  }
  if (argument === 'status profile mesh reg') return node.registrations.list();
  const flushed = /^profile mesh flush_inbound_reg (\S+)$/.exec(argument)?.[1];
  if (flushed) {
    node.registrations.flush(flushed);
    return '+OK flushing all registrations matching specified call_id\n';
  }
  const profile = /^(?:profile|(?:xml)?status profile) (\S+)/.exec(argument)?.[1];
  if (profile && profile !== 'internal') return `Invalid Profile [${profile}]`;
  if (argument === 'recover') return 'No calls to recover.\n';
  return '+OK\n';
}

function jsonApi(node: StandinNode, argument: string): string {
  let request: { command?: string; data?: unknown };
  try {
    request = JSON.parse(argument) as typeof request;
  } catch {
    return '{"status":"error","message":"Parse command error","response":null}';
  }
  if (request.command !== 'status')
    return JSON.stringify({ ...request, status: 'error', message: 'no such command' });
  const us = microseconds() - node.board.startedUs;
  const count = { total: node.counter.total, active: node.channels.size, peak: node.counter.peak };
  const response = {
    systemStatus: 'ready',
    uptime: uptimeParts(us),
    version: `${VERSION}  64bit`,
    sessions: {
      count: { ...count, peak5Min: node.counter.peak, limit: node.settings.max || 1000 },
      rate: { current: node.counter.lastSecond(), max: 30, peak: node.counter.peakPerSecond },
    },
    idleCPU: { used: 0, allowed: 90 },
  };
  return JSON.stringify({ ...request, status: 'success', response });
}
