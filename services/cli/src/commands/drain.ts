import { type AtDeadline, DrainEnd, type DrainProgress, StateServiceClient } from '@callmesh/proto/state';
import { fail, serverStream } from '@callmesh/runtime';
import type { Context } from '../context.ts';
import { progressOf } from '../progress.ts';

/** How long a drain may take, and what then. */
export interface Patience {
  readonly actor: string;
  /** Seconds; 0: as long as it takes. */
  readonly deadlineS: number;
  readonly atDeadline: AtDeadline;
}

/** As they are given on the command line. */
export interface DrainOptions {
  readonly wait?: boolean;
  readonly cancelOnInterrupt?: boolean;
  readonly deadline?: string;
  readonly atDeadline: 'wait' | 'move';
}

/** Errors: invalid_argument. */
export function patienceOf({ deadline, atDeadline }: DrainOptions): Omit<Patience, 'actor'> {
  const then = atDeadline === 'move' ? 'AT_DEADLINE_MOVE_REST' : 'AT_DEADLINE_KEEP_WAITING';
  return { deadlineS: deadline === undefined ? 0 : seconds(deadline), atDeadline: then };
}

function seconds(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const factor = { s: 1, m: 60, h: 3_600 }[unit ?? ''];
  if (!factor || Number(count) === 0)
    throw fail('invalid_argument', '--deadline: expected a time such as 90s, 30m or 4h', {
      field: 'deadline',
    });
  return Number(count) * factor;
}

/**
 * Drains a node and shows how it empties, on a terminal as a bar; `began` is called when it drains. True when
 * nothing is left, false when interrupted. Errors: cancelled when somebody takes it back.
 */
export async function drain(
  { connection, signal }: Context,
  name: string,
  patience: Patience,
  began: () => void,
): Promise<boolean> {
  const state = await connection.client(StateServiceClient, 'state');
  const progress = progressOf(name);
  let first = true;
  let wasOverdue = false;
  try {
    for await (const step of serverStream(state, 'drainNode', { nodeId: name, ...patience }, { signal })) {
      if (first) began();
      first = false;
      progress.update(step.sessions);
      if (step.overdue && !wasOverdue) process.stderr.write(`${name}: overdue, ${step.sessions} left\n`);
      wasOverdue = step.overdue;
      if (hasEnded(name, step)) return true;
    }
    if (signal.aborted) return false;
    throw fail('unavailable', 'state ended the watch');
  } finally {
    progress.end();
  }
}

function hasEnded(name: string, { end, reason }: DrainProgress): boolean {
  if (end === DrainEnd.DRAIN_END_CANCELLED)
    throw fail('conflict', `somebody else wants ${name} to take calls again`);
  // A node that is down carries nothing any more, either.
  if (end === DrainEnd.DRAIN_END_GONE) process.stderr.write(`${name}: ${reason}\n`);
  return end !== DrainEnd.DRAIN_END_UNSPECIFIED;
}
