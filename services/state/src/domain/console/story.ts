import type { LegRecord, GetSessionResponse as Records } from '@callmesh/proto/cdr';
import type { LiveLeg } from '@callmesh/proto/control';
import type { Decided } from '@callmesh/proto/policy';
import type { Binding } from '@callmesh/proto/session';
import type { SessionMove } from '@callmesh/proto/state';

/** All that is known of one session; what nobody could tell is in `missing`. */
export interface Known {
  /** Newest first. */
  readonly decisions: readonly Decided[];
  readonly moves: readonly SessionMove[];
  readonly binding: Binding | undefined;
  readonly legs: readonly LiveLeg[];
  readonly record: Records | undefined;
  /** Services that did not answer. */
  readonly missing: readonly string[];
}

/** One thing that happened. */
interface Step {
  /** RFC 3339; undefined when nobody told. */
  readonly at: string | undefined;
  readonly what: string;
  readonly detail: string;
  /** Where; empty when nowhere. */
  readonly node: string;
  readonly tone: 'plain' | 'good' | 'bad';
}

export interface Story {
  readonly session: string;
  readonly callId: string;
  readonly tenant: string;
  readonly state: 'live' | 'ended' | 'refused' | 'gone';
  /** Where it lives or last lived. */
  readonly node: string;
  readonly group: string;
  readonly function: string;
  readonly caller: string;
  readonly callee: string;
  readonly outcome: string;
  readonly steps: readonly Step[];
  readonly missing: readonly string[];
}

/** What happened to a session, in order; undefined when nothing is known of it. `show` hides what may not be seen. */
export function tell(known: Known, show: (party: string) => string): Story | undefined {
  const { decisions, binding, legs, record, missing } = known;
  const [latest] = decisions;
  if (!latest && !binding && !record?.session) return undefined;
  const session = record?.session;
  const parties = session ?? legs[0];
  const steps = [
    ...decisions.map(decided).reverse(),
    ...known.moves.map(moved),
    ...bound(known),
    ...legs.map((leg) => talking(leg, show)),
    ...(record?.legs ?? []).flatMap((leg) => ended(leg, show)),
  ];
  return {
    session: binding?.sessionId ?? session?.sessionId ?? latest?.sessionId ?? '',
    callId: binding?.callId ?? latest?.callId ?? record?.legs[0]?.callId ?? '',
    tenant: binding?.tenantId ?? session?.tenantId ?? latest?.tenantId ?? '',
    state: stateOf(known),
    node: binding?.nodeId ?? session?.nodeIds.at(-1) ?? latest?.nodeId ?? '',
    group: binding?.groupId ?? latest?.groupId ?? '',
    function: session?.function || latest?.function || '',
    caller: show(parties?.caller ?? ''),
    callee: show(parties?.callee ?? ''),
    outcome: session?.endedAt ? outcomeOf(session.disposition, session.hangupCause, session.endedBy) : '',
    steps: inOrder(steps),
    missing,
  };
}

function stateOf({ binding, record, decisions }: Known): Story['state'] {
  if (binding) return 'live';
  if (record?.session) return 'ended';
  return decisions[0]?.refusedCode ? 'refused' : 'gone';
}

function decided(one: Decided): Step {
  const asked = `${one.edgeId || 'a service'} asked ${one.instance}, answered in ${one.tookMs.toFixed(1)} ms`;
  return one.refusedCode
    ? {
        at: iso(one.at),
        what: `refused: ${one.refusedCode}`,
        detail: `${one.reason}; ${asked}`,
        node: '',
        tone: 'bad',
      }
    : {
        at: iso(one.at),
        what: one.strategy === 'bound' ? 'kept its node' : 'got a node',
        detail: `${one.reason} (group ${one.groupId}); ${asked}`,
        node: one.nodeId,
        tone: 'plain',
      };
}

function moved({ at, fromNodeId, toNodeId }: SessionMove): Step {
  return {
    at: iso(at),
    what: 'moved',
    detail: `from ${fromNodeId} to ${toNodeId}`,
    node: toNodeId,
    tone: 'bad',
  };
}

/** Said only where no decision says it. */
function bound({ binding, decisions }: Known): Step[] {
  if (!binding || decisions.length > 0) return [];
  const detail = `group ${binding.groupId || '-'}; the decision is no longer kept here`;
  return [{ at: iso(binding.createdAt), what: 'got a node', detail, node: binding.nodeId, tone: 'plain' }];
}

function talking({ outbound, caller, callee, nodeId }: LiveLeg, show: (party: string) => string): Step {
  const way = outbound ? 'calls out' : 'called in';
  return {
    at: undefined,
    what: `a leg that ${way} lives`,
    detail: `${show(caller)} to ${show(callee)}`,
    node: nodeId,
    tone: 'good',
  };
}

function ended(leg: LegRecord, show: (party: string) => string): Step[] {
  const { summary, nodeId: node, outbound, disposition, hangupCause } = leg;
  const parties = `${show(leg.caller)} to ${show(leg.callee)}`;
  const way = outbound ? 'called out' : 'called in';
  const mos = summary?.quality?.mos ? `, MOS ${summary.quality.mos.toFixed(2)}` : '';
  const good = disposition === 'DISPOSITION_ANSWERED';
  const steps: (Step | false | undefined)[] = [
    { at: iso(summary?.createdAt), what: `a leg ${way}`, detail: parties, node, tone: 'plain' },
    summary?.answeredAt && {
      at: iso(summary.answeredAt),
      what: 'answered',
      detail: parties,
      node,
      tone: 'good',
    },
    {
      at: iso(summary?.endedAt),
      what: 'a leg ended',
      detail: `${parties}: ${outcomeOf(disposition, hangupCause, summary?.endedBy ?? '')}${mos}`,
      node,
      tone: good ? 'plain' : 'bad',
    },
  ];
  return steps.filter((step) => step !== undefined && step !== false);
}

function outcomeOf(disposition: string, cause: string, by: string): string {
  const word = disposition.replace('DISPOSITION_', '').toLowerCase().replace('_', ' ');
  return `${word}, ${cause}${by ? `, ended by ${by}` : ''}`;
}

function inOrder(steps: readonly Step[]): Step[] {
  const last = '9999';
  return steps.toSorted((a, b) =>
    (a.at ?? last) < (b.at ?? last) ? -1 : (a.at ?? last) > (b.at ?? last) ? 1 : 0,
  );
}

function iso(at: Date | undefined): string | undefined {
  return at?.toISOString();
}
