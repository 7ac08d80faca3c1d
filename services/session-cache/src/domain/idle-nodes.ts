import type { LoadReport } from '@callmesh/proto/node';
import { BackendState } from '@callmesh/proto/node';
import type { Replica } from './replica.ts';
import { type Held, sameLife } from './session.ts';
import type { Sessions } from './sessions.ts';

/** How long a node must say that it carries nothing, milliseconds: several reports, none of them late. */
const IDLE_MS = 10_000;
/** A node that has not said so again within this may carry something by now. */
const SILENT_MS = 3_000;

interface Idle {
  readonly epoch: string;
  readonly since: number;
  readonly heard: number;
}

/**
 * Ends sessions whose hangup was lost (a store wiped, a publisher's queue full): a
 * node that counts its channels exactly and says for ten seconds that it has none
 * has no sessions either. Lives that are over are not touched: their sessions
 * wait to be moved.
 */
export class IdleNodes {
  readonly #sessions: Sessions;
  readonly #replica: Replica<Held>;
  readonly #now: () => number;
  readonly #idle = new Map<string, Idle>();

  /** `now` is monotonic, milliseconds. */
  constructor(sessions: Sessions, replica: Replica<Held>, now: () => number) {
    this.#sessions = sessions;
    this.#replica = replica;
    this.#now = now;
  }

  /** Takes a node's load report. */
  note(report: LoadReport): void {
    const idle = report.sessions === 0 && report.backend === BackendState.BACKEND_STATE_UP;
    if (!idle) {
      this.#idle.delete(report.nodeId);
      return;
    }
    const before = this.#idle.get(report.nodeId);
    const goesOn = before?.epoch === report.epoch && this.#now() - before.heard < SILENT_MS;
    const since = goesOn ? before.since : this.#now();
    this.#idle.set(report.nodeId, { epoch: report.epoch, since, heard: this.#now() });
  }

  /** One round; returns how many sessions it ended. */
  async run(): Promise<number> {
    let ended = 0;
    for (const [nodeId, { epoch, since, heard }] of this.#idle) {
      if (!this.#replica.live || this.#now() - since < IDLE_MS || this.#now() - heard > SILENT_MS) continue;
      const life = { nodeId, nodeEpoch: epoch };
      for (const { value } of [...this.#sessions.index.find(nodeId, '')])
        if (await this.#sessions.end(value, (now) => now.confirmed && sameLife(now, life))) ended += 1;
    }
    return ended;
  }
}
