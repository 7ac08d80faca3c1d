import { status } from '@grpc/grpc-js';

/** One way a request can fail, said in the three languages callmesh speaks. */
export interface ErrorEntry {
  /** gRPC status (google.rpc.Code). */
  readonly grpc: status;
  /** HTTP status (RFC 9110). */
  readonly http: number;
  /** SIP status (RFC 3261 section 21) an edge answers the caller with. */
  readonly sip: number;
  /** SIP reason phrase. */
  readonly reason: string;
  /** What it means, for docs/architecture.md. */
  readonly meaning: string;
}

/** The error catalogue: the one place that says what a failure is on each protocol. */
export const catalogue = {
  invalid_argument: entry(
    status.INVALID_ARGUMENT,
    400,
    400,
    'Bad Request',
    'a field is not what was expected',
  ),
  too_large: entry(status.INVALID_ARGUMENT, 413, 513, 'Message Too Large', 'the message exceeds its limit'),
  unauthenticated: entry(status.UNAUTHENTICATED, 401, 403, 'Forbidden', 'credentials are missing or wrong'),
  challenge: entry(status.UNAUTHENTICATED, 401, 401, 'Unauthorized', 'digest credentials are needed'),
  unknown_trunk: entry(
    status.NOT_FOUND,
    403,
    403,
    'Unknown Trunk',
    'no trunk matches where the call came from',
  ),
  unknown_number: entry(status.NOT_FOUND, 404, 404, 'Not Found', 'no destination for the called number'),
  unknown_agent: entry(status.NOT_FOUND, 404, 404, 'Not Found', 'no such agent in this tenant'),
  tenant_disabled: entry(status.PERMISSION_DENIED, 403, 403, 'Tenant Disabled', 'the tenant is switched off'),
  trunk_disabled: entry(status.PERMISSION_DENIED, 403, 403, 'Trunk Disabled', 'the trunk is switched off'),
  agent_disabled: entry(status.PERMISSION_DENIED, 403, 403, 'Agent Disabled', 'the agent is switched off'),
  destination_forbidden: entry(
    status.PERMISSION_DENIED,
    403,
    403,
    'Destination Forbidden',
    'the tenant may not call this destination',
  ),
  tenant_forbidden: entry(
    status.PERMISSION_DENIED,
    403,
    403,
    'Forbidden',
    'the caller may not act for this tenant',
  ),
  origin_forbidden: entry(
    status.PERMISSION_DENIED,
    403,
    403,
    'Origin Forbidden',
    'pages of this origin may not connect for this tenant',
  ),
  limit_calls: entry(
    status.RESOURCE_EXHAUSTED,
    429,
    503,
    'Concurrent Call Limit',
    'the tenant or trunk has as many calls as it may have',
  ),
  limit_cps: entry(
    status.RESOURCE_EXHAUSTED,
    429,
    503,
    'Call Rate Limit',
    'the tenant or trunk starts calls faster than it may',
  ),
  no_node: entry(
    status.UNAVAILABLE,
    503,
    503,
    'No Node Available',
    'no node of the group can take the session',
  ),
  not_found: entry(status.NOT_FOUND, 404, 404, 'Not Found', 'there is no such thing'),
  session_gone: entry(
    status.NOT_FOUND,
    404,
    481,
    'Call/Transaction Does Not Exist',
    'the session of this dialog is not known',
  ),
  already_exists: entry(status.ALREADY_EXISTS, 409, 500, 'Server Internal Error', 'it exists already'),
  conflict: entry(status.ABORTED, 409, 500, 'Server Internal Error', 'somebody else changed it first'),
  precondition_failed: entry(
    status.FAILED_PRECONDITION,
    412,
    500,
    'Server Internal Error',
    'what it refers to is missing, or something refers to it',
  ),
  out_of_range: entry(
    status.OUT_OF_RANGE,
    410,
    500,
    'Server Internal Error',
    'that revision is no longer kept',
  ),
  cancelled: entry(status.CANCELLED, 499, 487, 'Request Terminated', 'the caller gave up'),
  unavailable: entry(
    status.UNAVAILABLE,
    503,
    503,
    'Service Unavailable',
    'a part this needs does not answer',
  ),
  outcome_unknown: entry(
    status.UNKNOWN,
    502,
    500,
    'Server Internal Error',
    'it was handed on, and nobody said what came of it: look before asking again',
  ),
  deadline: entry(status.DEADLINE_EXCEEDED, 504, 504, 'Server Time-out', 'it took longer than the deadline'),
  internal: entry(status.INTERNAL, 500, 500, 'Server Internal Error', 'a fault of callmesh; the log has it'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof catalogue;

function entry(grpc: status, http: number, sip: number, reason: string, meaning: string): ErrorEntry {
  return { grpc, http, sip, reason, meaning };
}

export interface ErrorDetails {
  /** The field that is wrong, dotted, as the caller wrote it. */
  readonly field?: string;
  /** Seconds after which trying again may help (RFC 3261 section 20.33). */
  readonly retryAfterS?: number;
  /** Digest realm to challenge with, for code challenge. */
  readonly realm?: string;
  readonly cause?: unknown;
}

/** The only error type that crosses a callmesh boundary; it knows nothing of gRPC, HTTP or SIP. */
export class CallmeshError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterS: number | undefined;
  readonly realm: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CallmeshError';
    this.code = code;
    this.field = details.field;
    this.retryAfterS = details.retryAfterS;
    this.realm = details.realm;
  }
}

/** Shorthand for `throw fail('not_found', ...)`. */
export function fail(code: ErrorCode, message: string, details: ErrorDetails = {}): CallmeshError {
  return new CallmeshError(code, message, details);
}

/** Whatever was thrown, as a CallmeshError; what is not one becomes `internal` and keeps its cause. */
export function toCallmeshError(thrown: unknown): CallmeshError {
  if (thrown instanceof CallmeshError) return thrown;
  return new CallmeshError('internal', 'internal error', { cause: thrown });
}

export interface HttpError {
  readonly status: number;
  readonly body: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly field?: string;
    readonly sip_status: number;
    readonly sip_reason: string;
    readonly retry_after?: number;
    readonly realm?: string;
  };
}

/** The error as the body of an HTTP answer, with the SIP answer it stands for. */
export function toHttpError(thrown: unknown): HttpError {
  const error = toCallmeshError(thrown);
  const { http, sip, reason } = catalogue[error.code];
  return {
    status: http,
    body: {
      code: error.code,
      message: error.message,
      ...(error.field !== undefined && { field: error.field }),
      sip_status: sip,
      sip_reason: reason,
      ...(error.retryAfterS !== undefined && { retry_after: error.retryAfterS }),
      ...(error.realm !== undefined && { realm: error.realm }),
    },
  };
}
