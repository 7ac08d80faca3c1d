import type { CallEvent } from '@callmesh/proto/call';
import { type Fields, firstOf } from './fields.ts';
import { type Leg, roomOf } from './leg.ts';
import { timeOf } from './times.ts';

/** What happened to a leg: the last token of the call event's subject. */
type LegEventName =
  | ('created' | 'ringing' | 'answered' | 'moved' | 'hangup')
  | ('bridged' | 'unbridged' | 'held' | 'unheld' | 'dtmf')
  | ('recording' | 'recorded' | 'joined' | 'left' | 'referred');

/** Something the mesh is told of. */
export interface LegEvent {
  readonly event: LegEventName;
  readonly leg: Leg;
  /** What only this kind of event says. */
  readonly detail?: Partial<CallEvent>;
}

type Find = (uuid: string) => Leg | undefined;
type Change = (leg: Leg, fields: Fields, find: Find, now: number) => LegEvent[];

/** What an event of FreeSWITCH changes on a leg, and what of it is to be told. */
export function changes(leg: Leg, fields: Fields, find: Find, now: number): LegEvent[] {
  const name = fields.name === 'CUSTOM' ? (fields.get('Event-Subclass') ?? '') : fields.name;
  return CHANGES.get(name)?.(leg, fields, find, now) ?? [];
}

const CHANGES: ReadonlyMap<string, Change> = new Map(
  Object.entries<Change>({
    CHANNEL_PROGRESS: rings,
    CHANNEL_PROGRESS_MEDIA: rings,
    CHANNEL_ANSWER: (leg, fields, _, now) => {
      if (leg.answeredAt > 0) return [];
      leg.answeredAt = timeOf(fields, now);
      return [{ event: 'answered', leg }];
    },
    CHANNEL_BRIDGE: (_, fields, find, now) =>
      eachEnd(fields, find, (leg, other) => bridge(leg, other, fields, now)),
    CHANNEL_UNBRIDGE: (_, fields, find) => eachEnd(fields, find, unbridge),
    CHANNEL_HOLD: (leg) => (leg.held === '' ? hold(leg, 'far') : []),
    CHANNEL_UNHOLD: (leg) => (leg.held === 'far' ? hold(leg, '') : []),
    DTMF: (leg, fields) => digit(leg, fields),
    RECORD_START: (leg, fields) => {
      const path = fields.get('Record-File-Path') ?? '';
      leg.recordings = [...leg.recordings.filter((one) => one !== path), path];
      return [{ event: 'recording', leg, detail: { recording: path } }];
    },
    RECORD_STOP: (leg, fields) => {
      const path = fields.get('Record-File-Path') ?? '';
      leg.recordings = leg.recordings.filter((one) => one !== path);
      const recordingMs = Math.max(0, fields.number('variable_record_ms') ?? 0);
      return [{ event: 'recorded', leg, detail: { recording: path, recordingMs } }];
    },
    // Of fs-media's dialplan: FreeSWITCH itself tells of a transfer by nothing that says so.
    'callmesh::referred': (leg, fields) => {
      const referredTo = fields.get('Caller-Destination-Number') ?? '';
      return [{ event: 'referred', leg, detail: { referredTo } }];
    },
    'conference::maintenance': (leg, fields) => {
      const room = roomOf(fields.get('Conference-Name') ?? '');
      if (fields.get('Action') === 'add-member') return join(leg, room, fields.get('Member-ID') ?? '');
      return fields.get('Action') === 'del-member' ? leave(leg, room) : [];
    },
  }),
);

/** Puts on hold or takes back; told once each way. */
export function hold(leg: Leg, held: Leg['held']): LegEvent[] {
  if ((leg.held === '') === (held === '')) return [];
  leg.held = held;
  return [{ event: held === '' ? 'unheld' : 'held', leg }];
}

/** What a leg is found in the middle of. */
export function soFar(leg: Leg): LegEvent[] {
  return changed(leg, { answered: false, bridgedTo: '', held: '' });
}

/** What changed on a leg while nobody listened, by what its channel says now. */
export function refreshed(leg: Leg, now: Leg): LegEvent[] {
  const before = { answered: leg.answeredAt > 0, bridgedTo: leg.bridgedTo, held: leg.held };
  const { programmed, bridgedTo, held, room, member, recordings } = now;
  Object.assign(leg, { programmed, bridgedTo, held, room, member, recordings });
  leg.callId ||= now.callId;
  leg.answeredAt ||= now.answeredAt;
  leg.lastBridge = now.lastBridge || leg.lastBridge;
  leg.transferred ||= now.transferred;
  return changed(leg, before);
}

function changed(
  leg: Leg,
  before: Pick<Leg, 'bridgedTo' | 'held'> & { readonly answered: boolean },
): LegEvent[] {
  const { bridgedTo, held } = leg;
  const events: LegEvent[] = [];
  if (!before.answered && leg.answeredAt > 0) events.push({ event: 'answered', leg });
  if (before.bridgedTo !== bridgedTo && before.bridgedTo)
    events.push({ event: 'unbridged', leg, detail: { otherLegUuid: before.bridgedTo } });
  if (before.bridgedTo !== bridgedTo && bridgedTo)
    events.push({ event: 'bridged', leg, detail: { otherLegUuid: bridgedTo } });
  if ((before.held === '') !== (held === '')) events.push({ event: held === '' ? 'unheld' : 'held', leg });
  return events;
}

function rings(leg: Leg, fields: Fields, _: Find, now: number): LegEvent[] {
  // FreeSWITCH tells of media at the answer too.
  if (leg.rang || leg.answeredAt > 0) return [];
  leg.rang = true;
  leg.progressAt = timeOf(fields, now);
  return [{ event: 'ringing', leg }];
}

/** FreeSWITCH tells of a connection once, for the one that began it: each leg has its own to tell. */
function eachEnd(fields: Fields, find: Find, change: (leg: Leg, other: string) => LegEvent[]): LegEvent[] {
  const a = firstOf(fields, ['Bridge-A-Unique-ID', 'Unique-ID']);
  const b = firstOf(fields, ['Bridge-B-Unique-ID', 'Other-Leg-Unique-ID']);
  const [one, other] = [find(a), find(b)];
  return [...(one ? change(one, b) : []), ...(other && a !== b ? change(other, a) : [])];
}

function bridge(leg: Leg, otherLegUuid: string, fields: Fields, now: number): LegEvent[] {
  leg.bridgedTo = otherLegUuid;
  leg.lastBridge = otherLegUuid;
  leg.bridgedAt ||= timeOf(fields, now);
  return [{ event: 'bridged', leg, detail: { otherLegUuid } }];
}

/** A leg that is connected anew already, or has ended, has nothing to tell of the old connection. */
function unbridge(leg: Leg, otherLegUuid: string): LegEvent[] {
  if (leg.bridgedTo !== otherLegUuid || leg.hungUp) return [];
  leg.bridgedTo = '';
  return [{ event: 'unbridged', leg, detail: { otherLegUuid } }];
}

/** Where a digit came from; what an application put in did not come from the far end. */
const SOURCES: ReadonlyMap<string, string> = new Map([
  ['RTP', 'rtp'],
  ['ENDPOINT', 'info'],
  ['INBAND_AUDIO', 'inband'],
]);

function digit(leg: Leg, fields: Fields): LegEvent[] {
  const source = fields.get('DTMF-Source') ?? '';
  if (source === 'APP') return [];
  const detail = {
    digit: fields.get('DTMF-Digit') ?? '',
    // FreeSWITCH counts samples, 8 a millisecond.
    digitMs: Math.round((fields.number('DTMF-Duration') ?? 0) / 8),
    digitSource: SOURCES.get(source) ?? 'unknown',
  };
  return [{ event: 'dtmf', leg, detail }];
}

function join(leg: Leg, room: string, member: string): LegEvent[] {
  leg.room = room;
  leg.member = member;
  return [{ event: 'joined', leg, detail: { room } }];
}

function leave(leg: Leg, room: string): LegEvent[] {
  if (leg.room === room) {
    leg.room = '';
    leg.member = '';
  }
  return leg.hungUp ? [] : [{ event: 'left', leg, detail: { room } }];
}
