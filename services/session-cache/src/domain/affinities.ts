import { fail } from '@callmesh/runtime';
import { keyOfAffinity } from './keys.ts';
import type { Replica } from './replica.ts';
import {
  type Affinity,
  type Held,
  isAffinity,
  isDead,
  type Life,
  type Session,
  sameLife,
} from './session.ts';

type Step = (affinity: Affinity | undefined) => Affinity | undefined;
interface Waiting {
  readonly step: Step;
  readonly resolve: (affinity: Affinity | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Where everybody who shares a key goes. The entry names its holders: a new one
 * joins, and the last one's leaving removes it, each by compare-and-set on the
 * same key, so no session can be left holding an affinity that was just removed.
 * Steps on one key are gathered into one write, so a busy queue costs one
 * write at a time however many join.
 */
export class Affinities {
  readonly #replica: Replica<Held>;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(replica: Replica<Held>) {
    this.#replica = replica;
  }

  /** Takes a hold for a session and returns where it goes: to the others, or where it proposed. */
  async join(session: Session, dead: readonly Life[]): Promise<Affinity> {
    const joined = await this.#step(keyOfAffinity(session), (affinity) => join(affinity, session, dead));
    return joined!;
  }

  /** Gives a session's hold back; the last one removes the entry. */
  async leave(session: Session): Promise<void> {
    if (!session.affinityKey) return;
    await this.#step(keyOfAffinity(session), (affinity) => leave(affinity, session.sessionId));
  }

  /** Makes the entry follow a session that went to another life: always when moved on purpose, else only when it holds alone. */
  async follow(session: Session, from: Life, always: boolean): Promise<void> {
    if (!session.affinityKey) return;
    await this.#step(keyOfAffinity(session), (affinity) => {
      const alone = affinity?.holders.length === 1 && affinity.holders[0] === session.sessionId;
      if (!affinity || !sameLife(affinity, from) || !(always || alone)) return affinity;
      return { ...affinity, nodeId: session.nodeId, nodeEpoch: session.nodeEpoch };
    });
  }

  /** Takes holders out whose sessions are known to be gone. */
  async expel(affinity: Affinity, holders: ReadonlySet<string>): Promise<void> {
    await this.#step(keyOfAffinity(affinity), (now) => {
      const rest = now?.holders.filter((id) => !holders.has(id));
      if (!now || rest?.length === now.holders.length) return now;
      return rest?.length ? { ...now, holders: rest } : undefined;
    });
  }

  #step(key: string, step: Step): Promise<Affinity | undefined> {
    return new Promise((resolve, reject) => {
      const queue = this.#waiting.get(key);
      if (queue) {
        queue.push({ step, resolve, reject });
        return;
      }
      this.#waiting.set(key, [{ step, resolve, reject }]);
      void this.#work(key);
    });
  }

  async #work(key: string): Promise<void> {
    for (;;) {
      const batch = this.#waiting.get(key)!;
      if (batch.length === 0) break;
      this.#waiting.set(key, []);
      await this.#write(key, batch);
    }
    this.#waiting.delete(key);
  }

  async #write(key: string, batch: Waiting[]): Promise<void> {
    try {
      let results: (Affinity | undefined)[] = [];
      await this.#replica.change(key, (held) => {
        if (held && !isAffinity(held)) throw fail('internal', `no affinity at ${key}`);
        results = [];
        let affinity = held;
        for (const { step } of batch) {
          affinity = step(affinity);
          results.push(affinity);
        }
        return affinity;
      });
      for (const [index, { resolve }] of batch.entries()) resolve(results[index]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

function join(affinity: Affinity | undefined, session: Session, dead: readonly Life[]): Affinity {
  const { tenantId, role, affinityKey, nodeId, nodeEpoch, groupId, sessionId } = session;
  if (!affinity) return { tenantId, role, affinityKey, nodeId, nodeEpoch, groupId, holders: [sessionId] };
  const place = isDead(affinity, dead) ? { nodeId, nodeEpoch, groupId } : undefined;
  if (!place && affinity.holders.includes(sessionId)) return affinity;
  const holders = affinity.holders.filter((id) => id !== sessionId);
  return { ...affinity, ...place, holders: [...holders, sessionId] };
}

function leave(affinity: Affinity | undefined, sessionId: string): Affinity | undefined {
  if (!affinity?.holders.includes(sessionId)) return affinity;
  if (affinity.holders.length === 1) return undefined;
  return { ...affinity, holders: affinity.holders.filter((id) => id !== sessionId) };
}
