import { DesiredState } from '@callmesh/proto/node';
import {
  AtDeadline,
  DrainEnd,
  type DrainNodeRequest,
  type DrainProgress,
  NodeStatus,
} from '@callmesh/proto/state';
import { fail, type Write } from '@callmesh/runtime';
import { now } from '../adapters/clock.ts';
import type { NodeTable, Row } from '../domain/table.ts';
import type { Watchers } from './watchers.ts';

/** Progress is told at least this often, milliseconds: silence is no sign of life. */
const EVERY_MS = 10_000;
const LONGEST_S = 7 * 24 * 3_600;

/** What a drain works with. */
export interface DrainParts {
  readonly table: NodeTable;
  readonly watchers: Watchers;
  /** Writes down what is wanted. Errors: unavailable. */
  readonly want: (nodeId: string, desired: DesiredState, actor: string) => Promise<DesiredState>;
  /** Moves what a living node carries to others of its group; absent where that cannot be done. */
  readonly move?: (nodeId: string) => Promise<void>;
}

/** Wants a node empty, and tells how it empties until it is, somebody takes it back, or the listener goes. */
export async function drainNode(
  parts: DrainParts,
  request: DrainNodeRequest,
  signal: AbortSignal,
  write: Write<DrainProgress>,
): Promise<void> {
  check(parts, request);
  const { nodeId, actor, deadlineS } = request;
  const due = deadlineS === 0 ? Number.POSITIVE_INFINITY : now() + deadlineS * 1000;
  await parts.want(nodeId, DesiredState.DESIRED_STATE_DRAINING, actor);
  const bell = new Bell(parts.watchers, signal);
  try {
    let told: DrainProgress | undefined;
    for (let toldAt = 0; !signal.aborted; ) {
      const progress = progressOf(parts.table, nodeId, told?.most ?? 0, now() >= due);
      if (progress.overdue && !told?.overdue && movesRest(request)) await parts.move?.(nodeId);
      if (isNews(progress, told) || now() - toldAt >= EVERY_MS) {
        await write(progress);
        [told, toldAt] = [progress, now()];
      }
      if (progress.end !== DrainEnd.DRAIN_END_UNSPECIFIED) return;
      await bell.rings(Math.min(toldAt + EVERY_MS, progress.overdue ? toldAt + EVERY_MS : due) - now());
    }
  } finally {
    bell.close();
  }
}

const movesRest = ({ atDeadline }: DrainNodeRequest) => atDeadline === AtDeadline.AT_DEADLINE_MOVE_REST;

function check({ table, move }: DrainParts, request: DrainNodeRequest): void {
  const { nodeId, deadlineS } = request;
  if (deadlineS > LONGEST_S)
    throw fail('invalid_argument', `deadline_s: expected at most ${LONGEST_S}`, { field: 'deadline_s' });
  if (movesRest(request) && deadlineS === 0)
    throw fail('invalid_argument', 'deadline_s: expected the time after which the rest is moved', {
      field: 'deadline_s',
    });
  if (!table.rows.has(nodeId)) throw fail('not_found', `no node ${nodeId}`, { field: 'node_id' });
  if (movesRest(request) && !move)
    throw fail('precondition_failed', `calls of ${nodeId} cannot be moved while it lives: let them end`, {
      field: 'at_deadline',
    });
}

/** Rings when anything of the table changed, when it is time, or when nobody listens any more. */
class Bell {
  readonly #listener: { close(): void };
  #wake: () => void = () => {};

  constructor(watchers: Watchers, signal: AbortSignal) {
    this.#listener = watchers.listen(() => this.#wake());
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  rings(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake(), Math.max(withinMs, 1));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  close(): void {
    this.#listener.close();
  }
}

function progressOf(table: NodeTable, nodeId: string, most: number, overdue: boolean): DrainProgress {
  const row = table.rows.get(nodeId);
  const sessions = row?.facts.load?.sessions ?? 0;
  return {
    sessions,
    most: Math.max(sessions, most),
    status: row?.status ?? NodeStatus.NODE_STATUS_DOWN,
    reason: row?.reason ?? 'left the mesh',
    overdue,
    end: endOf(row, table.desiredOf(nodeId)),
  };
}

function endOf(row: Row | undefined, desired: DesiredState): DrainEnd {
  if (!row || row.status === NodeStatus.NODE_STATUS_DOWN) return DrainEnd.DRAIN_END_GONE;
  // The row is judged a moment later than the wish is known.
  if (desired === DesiredState.DESIRED_STATE_ACTIVE) return DrainEnd.DRAIN_END_CANCELLED;
  if (row.status === NodeStatus.NODE_STATUS_DRAINED) return DrainEnd.DRAIN_END_DRAINED;
  return DrainEnd.DRAIN_END_UNSPECIFIED;
}

function isNews(progress: DrainProgress, told: DrainProgress | undefined): boolean {
  const { sessions, status, overdue, end } = progress;
  return (
    sessions !== told?.sessions || status !== told.status || overdue !== told.overdue || end !== told.end
  );
}
