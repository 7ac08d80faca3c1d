import { BackendState } from '@callmesh/proto/node';
import type { Verdict } from '../../domain/liveness.ts';

/** The node is looked at once a second; after so long without, this host stood still, milliseconds. */
const STILL_MS = 3_000;

/**
 * Who stood still does not know what was decided meanwhile: a node that was given up, and whose calls others go on
 * with, is not to be told of as well. Until that is known it takes no new sessions, which speaks against nothing else:
 * beside the lease that ran out meanwhile, a second sign of death would make it true.
 */
export class Standstill {
  readonly #ask: () => Promise<boolean>;
  #seenAt: number | undefined;
  #doubtful = false;
  #asking = false;

  /** `ask` looks whether the calls still are the node's; it rejects when that cannot be known now. */
  constructor(ask: () => Promise<boolean>) {
    this.#ask = ask;
  }

  /** What is told of the node, given what it looks like now. */
  seen(verdict: Verdict, now: number): Verdict {
    const still = this.#seenAt !== undefined && now - this.#seenAt >= STILL_MS;
    this.#seenAt = now;
    const { backend } = verdict;
    if (still || backend === BackendState.BACKEND_STATE_STUCK) this.#doubtful = true;
    // A new connection asks for itself.
    if (backend === BackendState.BACKEND_STATE_DOWN) this.#doubtful = false;
    if (!this.#doubtful || backend === BackendState.BACKEND_STATE_STUCK) return verdict;
    this.#look();
    return { backend: BackendState.BACKEND_STATE_PAUSED, reason: 'stood still: it may have been given up' };
  }

  #look(): void {
    if (this.#asking) return;
    this.#asking = true;
    this.#ask()
      .then((isIts) => {
        this.#doubtful = !isIts;
      })
      .catch(() => {})
      .finally(() => {
        this.#asking = false;
      });
  }
}
