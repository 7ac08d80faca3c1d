// FreeSWITCH's hangup causes against SIP statuses (sofia.c and
// sofia_glue.c) and against Q.850.

const SIP_TO_CAUSE: Record<number, string> = {
  200: 'NORMAL_CLEARING',
  401: 'CALL_REJECTED',
  402: 'CALL_REJECTED',
  403: 'CALL_REJECTED',
  404: 'UNALLOCATED_NUMBER',
  407: 'CALL_REJECTED',
  408: 'RECOVERY_ON_TIMER_EXPIRE',
  410: 'NUMBER_CHANGED',
  413: 'INTERWORKING',
  480: 'NO_USER_RESPONSE',
  481: 'NORMAL_TEMPORARY_FAILURE',
  484: 'INVALID_NUMBER_FORMAT',
  486: 'USER_BUSY',
  487: 'ORIGINATOR_CANCEL',
  488: 'INCOMPATIBLE_DESTINATION',
  500: 'NORMAL_TEMPORARY_FAILURE',
  502: 'NETWORK_OUT_OF_ORDER',
  503: 'NORMAL_TEMPORARY_FAILURE',
  504: 'RECOVERY_ON_TIMER_EXPIRE',
  600: 'USER_BUSY',
  603: 'CALL_REJECTED',
  604: 'NO_ROUTE_DESTINATION',
  606: 'INCOMPATIBLE_DESTINATION',
};

const CAUSE_TO_SIP: Record<string, number> = {
  UNALLOCATED_NUMBER: 404,
  NO_ROUTE_DESTINATION: 404,
  NO_ROUTE_TRANSIT_NET: 404,
  USER_BUSY: 486,
  NO_USER_RESPONSE: 408,
  NO_ANSWER: 480,
  SUBSCRIBER_ABSENT: 480,
  CALL_REJECTED: 603,
  NUMBER_CHANGED: 410,
  DESTINATION_OUT_OF_ORDER: 502,
  INVALID_NUMBER_FORMAT: 484,
  FACILITY_REJECTED: 501,
  NORMAL_CIRCUIT_CONGESTION: 503,
  NETWORK_OUT_OF_ORDER: 503,
  NORMAL_TEMPORARY_FAILURE: 503,
  SWITCH_CONGESTION: 503,
  REQUESTED_CHAN_UNAVAIL: 503,
  OUTGOING_CALL_BARRED: 403,
  INCOMING_CALL_BARRED: 403,
  INCOMPATIBLE_DESTINATION: 488,
  RECOVERY_ON_TIMER_EXPIRE: 504,
  ORIGINATOR_CANCEL: 487,
};

/** Q.850 numbers, and FreeSWITCH's own ones above 127. */
const Q850: Record<string, number> = {
  UNALLOCATED_NUMBER: 1,
  NO_ROUTE_TRANSIT_NET: 2,
  NO_ROUTE_DESTINATION: 3,
  NORMAL_CLEARING: 16,
  USER_BUSY: 17,
  NO_USER_RESPONSE: 18,
  NO_ANSWER: 19,
  SUBSCRIBER_ABSENT: 20,
  CALL_REJECTED: 21,
  NUMBER_CHANGED: 22,
  DESTINATION_OUT_OF_ORDER: 27,
  INVALID_NUMBER_FORMAT: 28,
  FACILITY_REJECTED: 29,
  NORMAL_UNSPECIFIED: 31,
  NORMAL_CIRCUIT_CONGESTION: 34,
  NETWORK_OUT_OF_ORDER: 38,
  NORMAL_TEMPORARY_FAILURE: 41,
  SWITCH_CONGESTION: 42,
  REQUESTED_CHAN_UNAVAIL: 44,
  OUTGOING_CALL_BARRED: 52,
  INCOMING_CALL_BARRED: 54,
  INCOMPATIBLE_DESTINATION: 88,
  RECOVERY_ON_TIMER_EXPIRE: 102,
  INTERWORKING: 127,
  ORIGINATOR_CANCEL: 487,
  ALLOTTED_TIMEOUT: 602,
  PROGRESS_TIMEOUT: 607,
  LOSE_RACE: 502,
  MANAGER_REQUEST: 503,
  SYSTEM_SHUTDOWN: 500,
  ATTENDED_TRANSFER: 601,
  BLIND_TRANSFER: 600,
};

export function causeOfStatus(status: number): string {
  return SIP_TO_CAUSE[status] ?? (status < 300 ? 'NORMAL_CLEARING' : 'NORMAL_UNSPECIFIED');
}

/** The status an unanswered inbound call gets when it is hung up with this cause. */
export function statusOfCause(cause: string): number {
  return CAUSE_TO_SIP[cause] ?? 480;
}

/** The Q.850 number; 0 when the cause has none. */
export function q850(cause: string): number {
  return Q850[cause] ?? 0;
}

/** A cause as given to uuid_kill or hangup: a known name, a Q.850 number, else the default. */
export function parseCause(text: string | undefined, fallback = 'NORMAL_CLEARING'): string {
  const wanted = (text ?? '').trim().toUpperCase();
  if (wanted in Q850) return wanted;
  return Object.entries(Q850).find(([, number]) => String(number) === wanted)?.[0] ?? fallback;
}

/** Causes after which FreeSWITCH goes on unless it is told what to do. */
const CONTINUES = 'NO_ANSWER,NO_USER_RESPONSE,ORIGINATOR_CANCEL';

/** Whether a call that failed with this cause lets the next application run: "true", "false" or a list of causes. */
export function continuesAfter(cause: string, wanted = CONTINUES): boolean {
  if (wanted === 'true') return true;
  const words = wanted.split(',').map((word) => word.trim().toUpperCase());
  return words.includes(cause) || words.includes(String(q850(cause)));
}
