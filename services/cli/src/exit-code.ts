import { CallmeshError, type ErrorCode } from '@callmesh/runtime';

/** What a script may build on; documented in docs/cli.md. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  unavailable: 5,
  conflict: 6,
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const CODES: Partial<Record<ErrorCode, ExitCode>> = {
  invalid_argument: ExitCode.usage,
  not_found: ExitCode.notFound,
  session_gone: ExitCode.notFound,
  unknown_number: ExitCode.notFound,
  unknown_agent: ExitCode.notFound,
  unauthenticated: ExitCode.refused,
  tenant_forbidden: ExitCode.refused,
  destination_forbidden: ExitCode.refused,
  unavailable: ExitCode.unavailable,
  deadline: ExitCode.unavailable,
  conflict: ExitCode.conflict,
  precondition_failed: ExitCode.conflict,
  already_exists: ExitCode.conflict,
  cancelled: ExitCode.interrupted,
};

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof CallmeshError ? (CODES[error.code] ?? ExitCode.failed) : ExitCode.failed;
}
