import { connect, goesOn } from './bridge.ts';
import { continuesAfter, parseCause } from './causes.ts';
import type { Application } from './channel.ts';
import { confer } from './conference.ts';
import { playAndGetDigits } from './digits.ts';
import type { Program } from './program.ts';
import { separate } from './separate.ts';
import { play } from './sound.ts';

/** Resolves when the application is done; one that waits also ends with `program.over`. */
type Run = (program: Program, data: string) => Promise<void> | void;

const nothing: Run = () => {};

const APPLICATIONS: Record<string, Run> = {
  answer,
  bridge,
  park,
  set,
  uuid_bridge: bridgeTo,
  ring_ready: ({ leg }) => leg.ring(),
  pre_answer: ({ leg }) => leg.earlyMedia(),
  export: exported,
  multiset: (program, data) => {
    const own = /^\^\^(.)(.*)$/s.exec(data);
    for (const pair of separate(own?.[2] ?? data, own?.[1] ?? ' ')) set(program, pair);
  },
  unset: ({ leg }, data) => void leg.channel.variables.delete(data),
  sleep: ({ over }, data) => over.within(Number(data) || 0),
  hangup: ({ leg }, data) => leg.channel.hangup(parseCause(data)),
  respond: ({ leg }, data) =>
    leg.channel.hangup('NORMAL_CLEARING', { status: Number.parseInt(data, 10) || 480 }),
  playback,
  endless_playback: (program, data) => playback(program, data, Number.POSITIVE_INFINITY),
  speak: playback,
  voicemail: (program) => stay(program),
  echo: (program) => stay(program),
  hold: (program) => stay(program),
  eavesdrop,
  conference: async (program, data) => {
    await answer(program);
    if (program.goes) await confer(program.node, program.leg, data, program.over);
  },
  record_session: ({ leg }, data) => {
    const [path = '', limit = ''] = data.split('+');
    leg.recordings.start(path.trim(), Number(limit) || 0);
  },
  stop_record_session: ({ leg }, data) => void leg.recordings.stop(data),
  sched_hangup: ({ leg }, data) => scheduleHangup(leg.channel, data),
  play_and_get_digits: ({ leg, over }, data) => playAndGetDigits(leg, data, over),
  log: nothing,
  info: nothing,
  event: ({ leg }, data) => event(leg.channel, data),
  limit: nothing,
  hash: nothing,
  start_dtmf: nothing,
};

export async function apply(program: Program, { name, data }: Application): Promise<void> {
  const run = Object.hasOwn(APPLICATIONS, name) ? APPLICATIONS[name] : undefined;
  // FreeSWITCH: "Invalid Application".
  if (!run) program.leg.channel.hangup('DESTINATION_OUT_OF_ORDER');
  else await run(program, data);
}

async function answer({ node, leg, over }: Program): Promise<void> {
  const { settings } = node;
  const { channel } = leg;
  if (channel.answered) return;
  if (settings.ringing) leg.ring();
  if (settings.answerDelayMs > 0) await over.within(settings.answerDelayMs);
  if (over.happened) return;
  leg.answer();
  if (settings.hangupAfterMs > 0 && channel.alive) {
    const timer = setTimeout(() => channel.hangup('NORMAL_CLEARING'), settings.hangupAfterMs);
    channel.onHangup.push(() => clearTimeout(timer));
  }
}

/** Answers and does nothing more until something else begins. */
async function stay(program: Program): Promise<void> {
  await answer(program);
  await program.over.wait();
}

async function park({ leg: { channel }, over }: Program): Promise<void> {
  const [seconds = '', cause] = (channel.variables.get('park_timeout') ?? '').split(':');
  channel.variables.delete('park_timeout');
  channel.park(true);
  await over.within(seconds === '' ? Number.POSITIVE_INFINITY : Number(seconds) * 1000);
  if (!over.happened) channel.hangup(parseCause(cause));
  channel.park(false);
}

async function playback(program: Program, data: string, ms?: number): Promise<void> {
  program.leg.earlyMedia();
  if (program.goes) await play(program.leg, data, program.over, ms);
}

function set({ leg: { channel } }: Program, data: string): void {
  const equals = data.indexOf('=');
  if (equals < 1) return;
  const name = data.slice(0, equals).replace(/^nolocal:/, '');
  const value = data.slice(equals + 1);
  // As in FreeSWITCH, setting it to nothing unsets it.
  if (value === '') channel.variables.delete(name);
  else channel.set(name, value);
}

/** Sets it here (not with "nolocal:") and on the legs this one calls. */
function exported(program: Program, data: string): void {
  const { variables } = program.leg.channel;
  const [, local = '', name = '', value = ''] = /^(nolocal:|_nolocal_)?([^=]+)=?(.*)$/s.exec(data) ?? [];
  program.leg.exported.set(name, value);
  if (local === '') variables.set(name, value);
}

/** "+60 CAUSE": in so many seconds. */
function scheduleHangup(channel: Program['leg']['channel'], data: string): void {
  const [seconds = '0', cause] = data.replace('+', '').split(' ');
  const timer = setTimeout(() => channel.hangup(parseCause(cause)), Number(seconds) * 1000);
  channel.onHangup.push(() => clearTimeout(timer));
}

/** Fires an event of its own: "Event-Name=CUSTOM,Event-Subclass=a::b,Name=value". */
function event(channel: Program['leg']['channel'], data: string): void {
  const fields = separate(data, ',').map((field) => separate(field, '=', 2) as [string, string]);
  const named = (name: string) => fields.find(([key]) => key === name)?.[1];
  const own = fields.filter(([key]) => key !== 'Event-Name' && key !== 'Event-Subclass');
  channel.fire(named('Event-Name') ?? 'CHANNEL_APPLICATION', own, named('Event-Subclass'));
}

async function bridge(program: Program, dialString: string): Promise<void> {
  const { node, leg, over } = program;
  const { channel } = leg;
  const result = await node.originator.dial(dialString, { caller: leg, until: over });
  if (!result.leg) return failed(program, result);
  const far = result.leg;
  channel.set('originate_disposition', 'SUCCESS');
  if (program.goes) leg.answer();
  if (!program.goes) return far.channel.hangup('ORIGINATOR_CANCEL');
  await connect(leg, far, over);
  if (!program.goes || goesOn(leg)) return;
  if (channel.variables.get('hangup_after_bridge') === 'true')
    channel.hangup(far.channel.cause ?? 'NORMAL_CLEARING');
}

/** The next step, or the end of the leg: with the cause, and the very status, of the one that was called. */
function failed({ goes, leg: { channel } }: Program, { cause, status }: { cause: string; status?: number }) {
  channel.set('originate_disposition', cause);
  if (goes && !continuesAfter(cause, channel.variables.get('continue_on_fail')))
    channel.hangup(cause, status === undefined ? {} : { status });
}

/** What uuid_bridge makes of the first leg: connected to another that is there already. */
async function bridgeTo({ node, leg, over }: Program, uuid: string): Promise<void> {
  const far = node.legs.get(uuid);
  await far?.stopProgram();
  if (!far?.channel.answered) {
    // So it is in FreeSWITCH: uuid_bridge waits for the answer of the first leg only.
    far?.channel.hangup('DESTINATION_OUT_OF_ORDER');
    return leg.channel.hangup('ORIGINATOR_CANCEL');
  }
  leg.answer();
  if (over.happened) return;
  const there = far.channel.execute('uuid_bridge', leg.channel.uuid);
  await connect(leg, far, over);
  if (far.channel.alive) far.channel.executed(there);
  if (leg.channel.alive && !over.happened) goesOn(leg);
}

/** Hears another leg until that one is gone. */
async function eavesdrop(program: Program, uuid: string): Promise<void> {
  await answer(program);
  const target = program.node.channels.get(uuid);
  if (!target || !program.goes) return;
  await new Promise<void>((resolve) => {
    program.over.on(resolve);
    target.onHangup.push(() => resolve());
  });
}
