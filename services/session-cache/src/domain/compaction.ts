import type { Replica } from './replica.ts';
import type { Store } from './store.ts';

/** What compaction needs of a replica, whatever it holds. */
type Compactable = Pick<Replica<never>, 'live' | 'applied' | 'size' | 'compact'>;

/** Fewer removal markers than this are left alone. */
const LEAST = 10_000;

/**
 * Lets the store forget removal markers: each ended session leaves one. When
 * they outnumber what lives, whatever is older than the last look is written anew
 * and everything before it is forgotten. No time limit in the store: it would
 * forget living sessions too while no replica runs to refresh them.
 */
export class Compaction {
  readonly #replica: Compactable;
  readonly #store: Store;
  readonly #least: number;
  /** Where the feed stood at the last look: others have had time to follow this far. */
  #before = 0;

  constructor(replica: Compactable, store: Store, least = LEAST) {
    this.#replica = replica;
    this.#store = store;
    this.#least = least;
  }

  /** One look; call it every half minute or so. Returns whether it compacted. */
  async run(): Promise<boolean> {
    if (!this.#replica.live) {
      this.#before = 0;
      return false;
    }
    const below = Math.min(this.#before, this.#replica.applied);
    this.#before = this.#replica.applied;
    const { count, first } = await this.#store.position();
    const markers = count - this.#replica.size;
    if (below <= first || markers < Math.max(this.#least, this.#replica.size)) return false;
    await this.#replica.compact(below);
    return true;
  }
}
