import type { Dial, DialGroup, DialHop, DialLeg } from '@callmesh/proto/program';
import { fail } from '@callmesh/runtime';
import { WAY_FAILED } from './causes.ts';
import * as check from './check.ts';
import { type App, braces } from './escape.ts';

/** Whose call it is, as every leg that is dialled for it says. */
export interface Session {
  readonly tenantId: string;
  readonly sessionId: string;
  /** Empty when unknown. */
  readonly function: string;
}

/** Seconds a group rings when it does not say. */
const RING_S = 30;
const MOST_S = 300;
const MOST_LEGS = 64;
const MOST_HOPS = 16;
/** FreeSWITCH's separator of legs that are called at once, each with ways of its own. */
const AT_ONCE = ':_:';

type Variables = Readonly<Record<string, string>>;

/** Calls groups one after another and connects to the first who answers. */
export function dial(message: Dial, session: Session, field: string): App[] {
  const { groups } = message;
  if (groups.length === 0) throw empty(`${field}.groups`);
  const last = groups.length - 1;
  const causes = message.continueOn.map((cause, index) =>
    check.cause(cause, `${field}.continue_on[${index}]`),
  );
  return [
    set('hangup_after_bridge', String(!message.parkAfter)),
    set('park_after_bridge', String(message.parkAfter)),
    ...callerApps(message, field),
    ...groups.flatMap((group, index) => [
      // Between groups every failure leads to the next; the whole then fails as its last group did.
      set('continue_on_fail', index < last ? 'true' : causes.join(',') || 'false'),
      { name: 'bridge', arg: groupString(group, message, session, `${field}.groups[${index}]`) },
    ]),
  ];
}

/** The dial string of a group for `bridge`. */
function groupString(group: DialGroup, dial: Dial, session: Session, field: string): string {
  const common = {
    ...groupVariables(group, field),
    // Of one leg the caller hears what comes before the answer; the call is no less unanswered for that.
    ...(group.legs.length === 1 && { bridge_early_media: 'true' }),
  };
  return legStrings(group, field, (leg, at) => ({
    ...common,
    ...legVariables(leg, session, at),
    ...privacy(dial, leg),
  })).join(AT_ONCE);
}

/** What an originated leg has that a bridged one has not. */
export interface Originated {
  readonly uuid: string;
  /** Empty: any. */
  readonly callId: string;
  readonly variables: Variables;
}

/** The dial string of `originate`: the first leg, on its first way, gets the uuid that was asked for. */
export function originateString(
  dial: Dial,
  session: Session,
  { uuid, callId, variables }: Originated,
  field: string,
): string {
  const [group, ...more] = dial.groups;
  if (!group) throw empty(`${field}.groups`);
  if (more.length > 0)
    throw fail('invalid_argument', `${field}.groups: one group, of legs called at once`, {
      field: `${field}.groups`,
    });
  const common = { ...groupVariables(group, `${field}.groups[0]`), ignore_early_media: 'true', ...variables };
  const [first, ...others] = legStrings(group, `${field}.groups[0]`, (leg, at) => ({
    ...common,
    ...(at.endsWith('legs[0]') && callId !== '' && { sip_invite_call_id: check.callId(callId, 'call_id') }),
    ...legVariables(leg, session, at),
    ...privacy(dial, leg),
  }));
  const named = first!.replace(/sofia\//, `[origination_uuid=${uuid}]sofia/`);
  return [named, ...others].join(AT_ONCE);
}

function legStrings(
  { legs }: DialGroup,
  field: string,
  variables: (leg: DialLeg, at: string) => Variables,
): string[] {
  check.between(legs.length, 1, MOST_LEGS, `${field}.legs`);
  return legs.map((leg, index) => {
    const at = `${field}.legs[${index}]`;
    check.between(leg.hops.length, 1, MOST_HOPS, `${at}.hops`);
    const hops = leg.hops.map((hop, way) => hopString(hop, `${at}.hops[${way}]`));
    // Without the mark of a failed way the next is tried after a busy too, and rings the same phone again.
    const retry = hops.length > 1 && { fail_on_single_reject: `!${WAY_FAILED.join('/')}` };
    return `${braces({ ...variables(leg, at), ...retry })}${hops.join('|')}`;
  });
}

function hopString({ uri, nextHop }: DialHop, field: string): string {
  const request = check.sipUri(uri, `${field}.uri`);
  const path = nextHop && `;fs_path=${encodeURIComponent(check.sipUri(nextHop, `${field}.next_hop`))}`;
  return `sofia/mesh/${request}${path}`;
}

function groupVariables({ timeoutS }: DialGroup, field: string): Variables {
  const seconds = check.between(timeoutS, 0, MOST_S, `${field}.timeout_s`) || RING_S;
  return { originate_timeout: String(seconds) };
}

function legVariables({ agentId, trunkId }: DialLeg, session: Session, field: string): Variables {
  return {
    'sip_h_X-Callmesh-Session': session.sessionId,
    'sip_h_X-Callmesh-Tenant': session.tenantId,
    ...(session.function && { 'sip_h_X-Callmesh-Function': session.function }),
    ...(agentId && { callmesh_agent: check.agent(agentId, `${field}.agent_id`) }),
    ...(trunkId && { callmesh_trunk: check.slug(trunkId, `${field}.trunk_id`) }),
    ...(trunkId && { 'sip_h_X-Callmesh-Trunk': trunkId }),
    // The caller's headers are passed on, but not by which trunk it came and to which node it was sent.
    exclude_outgoing_extra_header: trunkId ? 'X-Callmesh-Node$' : 'X-Callmesh-(Node|Trunk)$',
  };
}

/**
 * RFC 3323: nobody in From, and the wish in Privacy. Who it is (RFC 3325) goes to
 * trunks only: an agent's phone is not trusted to keep it.
 */
function privacy({ anonymous, callerNumber }: Dial, leg: DialLeg): Variables {
  if (!anonymous) return {};
  const told = callerNumber !== '' && leg.agentId === '';
  return {
    origination_caller_id_name: 'Anonymous',
    origination_caller_id_number: 'anonymous',
    sip_invite_domain: 'anonymous.invalid',
    sip_h_Privacy: 'id',
    sip_cid_type: 'none',
    ...(told && { 'sip_h_P-Asserted-Identity': `<sip:${callerNumber}@anonymous.invalid>` }),
  };
}

function callerApps({ callerNumber, callerName }: Dial, field: string): App[] {
  const number = callerNumber && check.number(callerNumber, `${field}.caller_number`);
  const name = callerName && check.displayName(callerName, `${field}.caller_name`);
  // Unset, too: an earlier program of this leg may have presented somebody else.
  return [
    number ? set('effective_caller_id_number', number) : unset('effective_caller_id_number'),
    name || number ? set('effective_caller_id_name', name || number) : unset('effective_caller_id_name'),
  ];
}

function set(name: string, value: string): App {
  return { name: 'set', arg: `${name}=${value}` };
}

function unset(name: string): App {
  return { name: 'unset', arg: name };
}

function empty(field: string): Error {
  return fail('invalid_argument', `${field}: expected at least one`, { field });
}
