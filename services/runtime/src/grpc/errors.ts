import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import { CallmeshError, catalogue, type ErrorCode, toCallmeshError } from '../errors.ts';

/** Trailers in which the callmesh error travels beside the gRPC status. */
const CODE = 'callmesh-code';
const FIELD = 'callmesh-field';
const RETRY_AFTER = 'callmesh-retry-after';

/** The thrown error as a gRPC status; trailers carry what the status cannot. */
export function toGrpcError(thrown: unknown): Pick<StatusObject, 'code' | 'details' | 'metadata'> {
  const error = toCallmeshError(thrown);
  const metadata = new Metadata();
  metadata.set(CODE, error.code);
  if (error.field) metadata.set(FIELD, error.field.replace(/[^\x20-\x7e]/g, '?'));
  if (error.retryAfterS !== undefined) metadata.set(RETRY_AFTER, String(error.retryAfterS));
  return { code: catalogue[error.code].grpc, details: error.message, metadata };
}

/** Codes for statuses that come from gRPC itself or from a server that is not ours. */
const codeOfStatus: Partial<Record<status, ErrorCode>> = {
  [status.CANCELLED]: 'cancelled',
  [status.INVALID_ARGUMENT]: 'invalid_argument',
  [status.DEADLINE_EXCEEDED]: 'deadline',
  [status.NOT_FOUND]: 'not_found',
  [status.ALREADY_EXISTS]: 'already_exists',
  [status.RESOURCE_EXHAUSTED]: 'too_large',
  [status.FAILED_PRECONDITION]: 'precondition_failed',
  [status.ABORTED]: 'conflict',
  [status.OUT_OF_RANGE]: 'out_of_range',
  [status.UNAVAILABLE]: 'unavailable',
  [status.UNAUTHENTICATED]: 'unauthenticated',
};

/** A gRPC failure as the CallmeshError the server threw, or the nearest one. */
export function fromGrpcError(thrown: unknown): CallmeshError {
  if (thrown instanceof CallmeshError) return thrown;
  const error = thrown as Partial<ServiceError>;
  const named = error.metadata?.get(CODE)[0]?.toString();
  const code =
    named !== undefined && Object.hasOwn(catalogue, named)
      ? (named as ErrorCode)
      : (codeOfStatus[error.code ?? status.UNKNOWN] ?? 'internal');
  const retryAfter = error.metadata?.get(RETRY_AFTER)[0]?.toString();
  return new CallmeshError(code, error.details ?? error.message ?? 'unknown gRPC failure', {
    field: error.metadata?.get(FIELD)[0]?.toString(),
    retryAfterS: retryAfter === undefined ? undefined : Number(retryAfter),
    cause: thrown,
  });
}
