import type { SetVariables } from '@callmesh/proto/program';
import { fail } from '@callmesh/runtime';
import * as check from './check.ts';
import { type App, element } from './escape.ts';

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const MOST = 64;
const MOST_BYTES = 1024;

/** Headers for the far end: `sip_h_X-...` with an INVITE, `sip_bye_h_X-...` with a BYE; never one of the mesh. */
const HEADER = /^sip_(bye_)?h_(X-(?!callmesh)[A-Za-z0-9-]+|User-to-User)$/i;

/**
 * First words of the names FreeSWITCH itself acts on: applications and API commands
 * it would run (execute_on_..., api_hangup_hook, exec_after_bridge_app), files it
 * would read or write, routes and credentials it would use. Whole families, because
 * it knows some 900 names and every release adds to them.
 */
const TAKEN: ReadonlySet<string> = new Set(
  `3pcc absolute accountcode add advertised alert answer api app areacode array asr att attended attxfer audio
  auto base bda bert bind blind bridge bypass cache call callee caller callmesh campon cases cc cdr certs channel
  chat codec conf conference confirm context continue copy core country curl currency current db default delay
  deny destination device dialed dialplan digit digits directory disable displace dlg domain drop dtmf early
  eavesdrop echo effective enable endpoint ent enum ep esf event exclude exec execute export fail failed failure
  fax fifo filter fire flip force forked format fs fsk gender generic group hangup heartbeat hold holding hostname
  httapi ice ignore import inbound include inherit initial inline instant intercept intralata intrastate ivr jb
  jitterbuffer jsock json language last lcr leg legacydtls local log loopback lowbal lrn lua max media member
  memory min mod monitor multicast mutex native ndlb network nibble no nobal nolocal null odbc opus original
  originate origination originator other outbound outcall outgoing pa page park pass passthru play playback pound
  pre prefix presence preserve process progress proto proxy push python rate rdnis read record recording recordings
  recovered recovery refuse remote return ring ringback rtc rtcp rtp run sched script scripts sdp secondary send
  sensitive session signal sip skinny skip sleep socket sofia soft sound sounds source spandsp spy srtp star
  storage stream supplied suppress supress switch switchname system t38 temp timer timezone tod tone transfer
  translate tts unicast update user uuid v18 vad valet verbose verto video vlc vm vmd voicemail webrtc write xfer
  xml`.split(/\s+/),
);

/** Names and values that may be set; `field` is the message's. Errors: invalid_argument, tenant-safe by family of names. */
export function variables(set: SetVariables | undefined, field: string): ReadonlyMap<string, string> {
  const entries = Object.entries(set?.variables ?? {});
  if (entries.length > MOST) throw fail('invalid_argument', `${field}: more than ${MOST}`, { field });
  return new Map(
    entries.map(([name, value]) => [allowed(name, field), check.text(value, MOST_BYTES, `${field}.${name}`)]),
  );
}

function allowed(name: string, field: string): string {
  if (!NAME.test(name))
    throw fail('invalid_argument', `${field}: expected names of 1-64 of A-Z a-z 0-9 _ -`, { field });
  const word = name.split(/[_-]/, 1)[0]!.toLowerCase();
  if (HEADER.test(name) || !TAKEN.has(word)) return name;
  throw fail('invalid_argument', `${field}: "${name}" is not to be set: names with "${word}" are taken`, {
    field: `${field}.${name}`,
  });
}

/** Sets them in a program. */
export function setApps(values: ReadonlyMap<string, string>): App[] {
  return [...values].map(([name, value]) => ({ name: 'set', arg: `${name}=${value}` }));
}

/** `name=value;...`, as `uuid_setvar_multi` takes it. */
export function setList(values: ReadonlyMap<string, string>): string {
  return [...values].map(([name, value]) => element(`${name}=${value}`, ';')).join(';');
}
