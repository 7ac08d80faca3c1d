import type { Trunk } from '../model.ts';

/**
 * Causes after which the next carrier is tried, where a trunk names none: what says
 * that the carrier failed, never what says that the called one did (busy, no answer,
 * wrong number) or that either side does not want the call. FreeSWITCH gives a SIP
 * answer these names: 408 and 504 RECOVERY_ON_TIMER_EXPIRE, 500 and 503
 * NORMAL_TEMPORARY_FAILURE, 502 NETWORK_OUT_OF_ORDER, 405 SERVICE_UNAVAILABLE, 501
 * SERVICE_NOT_IMPLEMENTED, 482 and 483 EXCHANGE_ROUTING_ERROR. 403 and 603 are one
 * cause there, CALL_REJECTED: it is not listed, for 603 is a person's no.
 */
const platformCauses: readonly string[] = [
  'NORMAL_TEMPORARY_FAILURE',
  'RECOVERY_ON_TIMER_EXPIRE',
  'PROGRESS_TIMEOUT',
  'NETWORK_OUT_OF_ORDER',
  'NORMAL_CIRCUIT_CONGESTION',
  'SWITCH_CONGESTION',
  'REQUESTED_CHAN_UNAVAIL',
  'NO_ROUTE_TRANSIT_NET',
  'EXCHANGE_ROUTING_ERROR',
  'SERVICE_UNAVAILABLE',
  'SERVICE_NOT_IMPLEMENTED',
  'INTERWORKING',
  'GATEWAY_DOWN',
  'INVALID_GATEWAY',
];

export function failoverCauses({ failoverCauses: own }: Trunk): readonly string[] {
  return own.length > 0 ? own : platformCauses;
}
