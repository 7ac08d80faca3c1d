import type { Program } from '@callmesh/proto/program';
import type { ErrorCode } from '@callmesh/runtime';
import { hangUp } from './program.ts';

/** FreeSWITCH's causes for what a caller is refused with; it makes the SIP answer of them. */
const CAUSES: Partial<Record<ErrorCode, string>> = {
  // 404
  unknown_number: 'UNALLOCATED_NUMBER',
  unknown_agent: 'UNALLOCATED_NUMBER',
  not_found: 'UNALLOCATED_NUMBER',
  // 484
  invalid_argument: 'INVALID_NUMBER_FORMAT',
  // 403
  destination_forbidden: 'OUTGOING_CALL_BARRED',
  tenant_disabled: 'OUTGOING_CALL_BARRED',
  agent_disabled: 'OUTGOING_CALL_BARRED',
  trunk_disabled: 'OUTGOING_CALL_BARRED',
  // 480
  precondition_failed: 'SUBSCRIBER_ABSENT',
};
/** 503: what is not the call's own fault. */
const OTHERWISE = 'NORMAL_TEMPORARY_FAILURE';

/** What a leg does whose destination was refused. */
export function refusalFor(code: ErrorCode): Program {
  return { steps: [hangUp(CAUSES[code] ?? OTHERWISE)] };
}
