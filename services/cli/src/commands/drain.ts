import { type NodeState, NodeStatus, StateServiceClient } from '@callmesh/proto/state';
import { fail, serverStream } from '@callmesh/runtime';
import { SingleBar } from 'cli-progress';
import type { Context } from '../context.ts';
import { type Sample, untilEmpty } from '../domain/estimate.ts';
import { span } from '../words.ts';

const FORMAT = '{name} [{bar}] {left} left, {ended} ended, {estimate}';

/** Shows how a node empties, on a terminal as a bar; true when it is drained, false when interrupted. */
export async function waitUntilDrained({ connection, signal }: Context, name: string): Promise<boolean> {
  const state = await connection.client(StateServiceClient, 'state');
  const samples: Sample[] = [];
  const show = process.stderr.isTTY ? bar(name) : lines(name);
  const watch = serverStream(state, 'watchNodes', { role: 'NODE_ROLE_UNSPECIFIED', group: '' }, { signal });
  try {
    for await (const { event } of watch) {
      if (event?.$case === 'removedNodeId' && event.value === name)
        throw fail('not_found', `node ${name} left the mesh`);
      const row = event?.$case === 'put' && event.value.node?.id === name ? event.value : undefined;
      if (!row) continue;
      const sessions = sessionsOf(row);
      samples.push({ at: Date.now(), sessions });
      show.update(samples[0]!.sessions, sessions, untilEmpty(samples));
      if (isEmpty(row)) return true;
    }
    if (signal.aborted) return false;
    throw fail('unavailable', 'state ended the watch');
  } finally {
    show.end();
  }
}

function sessionsOf({ load }: NodeState): number {
  return load?.sessions ?? 0;
}

/** Drained, or down: either way it carries nothing any more. */
function isEmpty({ status }: NodeState): boolean {
  return status === NodeStatus.NODE_STATUS_DRAINED || status === NodeStatus.NODE_STATUS_DOWN;
}

interface Show {
  update(first: number, left: number, estimate: number | undefined): void;
  end(): void;
}

function bar(name: string): Show {
  const shown = new SingleBar({ format: FORMAT, clearOnComplete: false, hideCursor: true, fps: 4 });
  let started = false;
  return {
    update(first, left, estimate) {
      const payload = { name, left, ended: first - left, estimate: estimated(estimate) };
      const total = Math.max(first, 1);
      if (!started) shown.start(total, total - left, payload);
      else shown.update(total - left, payload);
      started = true;
    },
    end() {
      if (started) shown.stop();
    },
  };
}

/** For logs: a line per change. */
function lines(name: string): Show {
  let last = -1;
  return {
    update(first, left, estimate) {
      if (left === last) return;
      last = left;
      process.stderr.write(`${name}: ${left} left, ${first - left} ended, ${estimated(estimate)}\n`);
    },
    end() {},
  };
}

function estimated(ms: number | undefined): string {
  if (ms === undefined) return 'no estimate yet';
  return ms === 0 ? 'done' : `about ${span(ms)} to go`;
}
