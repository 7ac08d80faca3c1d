import type { Decision } from '../decision.ts';
import type { Caller } from '../numbers/caller.ts';
import { type App, bridge, continueOn, legVariables, set, userPart } from './dial-string.ts';

/** A media node waits as long as whoever is called through it may ring, seconds. */
const RING_S = '300';
/** Failures of a node, after which the next one is tried; any other is what the call came to. */
const NODE_FAILED = [
  'NORMAL_TEMPORARY_FAILURE',
  'NETWORK_OUT_OF_ORDER',
  'RECOVERY_ON_TIMER_EXPIRE',
  'DESTINATION_OUT_OF_ORDER',
  'SWITCH_CONGESTION',
  'SERVICE_UNAVAILABLE',
];

/**
 * Brings a routed session to its media nodes in order. The leg it came by becomes part
 * of the session: `callmesh_*` say so, whatever headers it came with. `trace` is the traceparent
 * the call goes on with, empty where it is not traced.
 */
export function bringToMedia(decision: Decision, sessionId: string, caller?: Caller, trace = ''): App[] {
  const { owner, targets, calledUser, function: fn } = decision;
  const { tenant, trunk, agent } = owner;
  const headers = {
    'sip_h_X-Callmesh-Session': sessionId,
    'sip_h_X-Callmesh-Tenant': tenant.id,
    'sip_h_X-Callmesh-Function': fn,
    ...(agent && { 'sip_h_X-Callmesh-Agent': agent.id }),
    ...(trunk && { 'sip_h_X-Callmesh-Trunk': trunk.id }),
    ...(trace && { 'sip_h_X-Callmesh-Trace': trace }),
    ...(caller && callerVariables(caller)),
  };
  return [
    // What came from outside must not pass for the mesh's own.
    set('sip_copy_custom_headers', 'false'),
    set('callmesh_session', sessionId),
    set('callmesh_tenant', tenant.id),
    ...(agent ? [set('callmesh_agent', agent.id)] : []),
    ...(trunk ? [set('callmesh_trunk', trunk.id)] : []),
    set('hangup_after_bridge', 'true'),
    continueOn([]),
    set('call_timeout', RING_S),
    bridge(
      targets.map(
        ({ id, address }) =>
          `${legVariables({ ...headers, 'sip_h_X-Callmesh-Node': id })}sofia/mesh/sip:${userPart(calledUser)}@${address}`,
      ),
      'in order',
      targets.length > 1 ? `{fail_on_single_reject=!${NODE_FAILED.join('/')}}` : '',
    ),
  ];
}

function callerVariables({ number, anonymous }: Caller): Record<string, string> {
  return anonymous
    ? { origination_caller_id_number: 'anonymous', origination_caller_id_name: 'Anonymous' }
    : { origination_caller_id_number: number, origination_caller_id_name: number };
}
