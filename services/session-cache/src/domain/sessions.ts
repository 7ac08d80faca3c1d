import type { GetRequest } from '@callmesh/proto/session';
import { FunctionMessage } from '@callmesh/proto/tenant';
import { CallmeshError, fail } from '@callmesh/runtime';
import { Affinities } from './affinities.ts';
import { affinityKey, callKey, keyOfSession } from './keys.ts';
import { movedTo } from './legs.ts';
import type { Entry, Replica } from './replica.ts';
import { type Held, isAffinity, isDead, type Life, nameLife, type Session, sameLife } from './session.ts';
import { SessionIndex } from './session-index.ts';

/** What this replica did, to be told to the mesh; exactly one replica tells of a change. */
export type Deed =
  | { readonly event: 'bound' | 'released'; readonly entry: Entry<Session> }
  | { readonly event: 'moved'; readonly entry: Entry<Session>; readonly from: Life };

export interface Bound {
  readonly entry: Entry<Session>;
  readonly created: boolean;
}

export interface SessionsOptions {
  readonly replica: Replica<Held>;
  readonly tell: (deed: Deed) => void;
  /** Most sessions kept; further ones are refused with `unavailable`. */
  readonly maxSessions: number;
}

/** Attempts at a bind that others keep changing under us. */
const ATTEMPTS = 10;

/** Bind, get, move and release, decided by the store's compare-and-set. */
export class Sessions {
  readonly index = new SessionIndex();
  readonly affinities: Affinities;
  readonly #replica: Replica<Held>;
  readonly #tell: (deed: Deed) => void;
  readonly #maxSessions: number;

  constructor({ replica, tell, maxSessions }: SessionsOptions) {
    this.#replica = replica;
    this.#tell = tell;
    this.#maxSessions = maxSessions;
    this.affinities = new Affinities(replica);
    replica.onChange((key, before, after) => this.index.update(key, before, after));
  }

  /**
   * Binds a session unless its Call-ID is bound already; an affinity key that is
   * held decides the node. A known Call-ID is answered from memory, also while
   * the store is silent; an unknown one then fails with `unavailable`.
   */
  async bind(proposal: Session, dead: readonly Life[]): Promise<Bound> {
    const bound = await this.#bind(proposal, dead);
    const { value } = bound.entry;
    const adopted =
      value.sessionId === proposal.sessionId && value.function === FunctionMessage.FUNCTION_UNSPECIFIED;
    return adopted ? this.#complete(bound.entry, proposal).catch(() => bound) : bound;
  }

  /** A bind that comes after the call was adopted from its events tells what those could not. */
  async #complete({ value }: Entry<Session>, proposal: Session): Promise<Bound> {
    const { nodeId, nodeEpoch } = value;
    const { affinityKey, function: purpose, groupId, edgeId, trunkId } = proposal;
    if (affinityKey) await this.affinities.join({ ...proposal, nodeId, nodeEpoch }, []);
    const { after } = await this.#replica.change(keyOfSession(value), (held) => {
      const now = held as Session | undefined;
      if (now?.sessionId !== proposal.sessionId) throw gone(proposal.sessionId);
      return { ...now, affinityKey, function: purpose, groupId, edgeId, trunkId };
    });
    return { entry: after as Entry<Session>, created: true };
  }

  async #bind(proposal: Session, dead: readonly Life[]): Promise<Bound> {
    const key = keyOfSession(proposal);
    const known = this.#replica.get(key) as Entry<Session> | undefined;
    if (known && !isDead(known.value, dead)) return answer(known, proposal);
    this.#admit(proposal, known?.value);
    if (!proposal.affinityKey) return this.#claim(key, proposal, dead);
    const place = await this.affinities.join(proposal, dead);
    const { nodeId, nodeEpoch, groupId } = place;
    try {
      const bound = await this.#claim(key, { ...proposal, nodeId, nodeEpoch, groupId }, dead);
      if (bound.entry.value.sessionId !== proposal.sessionId) this.#leave(proposal);
      return bound;
    } catch (error) {
      this.#leave(proposal);
      throw error;
    }
  }

  #admit(proposal: Session, known: Session | undefined): void {
    const same = this.index.get(proposal.sessionId)?.value;
    if (same && same !== known)
      throw fail('already_exists', 'binding.session_id: expected an id that no other Call-ID has', {
        field: 'binding.session_id',
      });
    if (!known && this.index.size >= this.#maxSessions)
      throw fail('unavailable', `more than ${this.#maxSessions} sessions`);
  }

  async #claim(key: string, target: Session, dead: readonly Life[]): Promise<Bound> {
    let known = this.#replica.get(key) as Entry<Session> | undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (known && !isDead(known.value, dead)) return answer(known, target);
      const taken = known
        ? await this.#replica.update(key, known, target)
        : await this.#replica.create(key, target);
      if (taken) {
        if (known) this.#ended(known);
        this.#tell({ event: 'bound', entry: taken as Entry<Session> });
        return { entry: taken as Entry<Session>, created: true };
      }
      known = (await this.#replica.read(key)) as Entry<Session> | undefined;
    }
    throw fail('unavailable', 'too many others bind this Call-ID at the same time');
  }

  /** Gives a session to another life if it still is where the caller believes; `conflict` names the holder. */
  async move(sessionId: string, from: Life, to: Life): Promise<Entry<Session>> {
    const found = await this.find(sessionId);
    const { after, changed } = await this.#replica.change(keyOfSession(found.value), (held) => {
      const now = held as Session | undefined;
      return now?.sessionId === sessionId && sameLife(now, from) ? movedTo(now, to) : now;
    });
    const holder = after?.value as Session | undefined;
    if (holder?.sessionId !== sessionId) throw gone(sessionId);
    if (!changed)
      throw fail('conflict', `session ${sessionId} lives on ${nameLife(holder)}`, { field: 'from' });
    const entry = after as Entry<Session>;
    this.#tell({ event: 'moved', entry, from });
    await this.affinities.follow(entry.value, from, true).catch(ignoreSilence);
    return entry;
  }

  /** Removes a session; false when there was none. */
  async release(sessionId: string): Promise<boolean> {
    let found: Entry<Session>;
    try {
      found = await this.find(sessionId);
    } catch (error) {
      if (error instanceof CallmeshError && error.code === 'not_found') return false;
      throw error;
    }
    return this.end(found.value, () => true);
  }

  /**
   * Removes a session if `still` says so of what the store holds; false when not.
   * Tells of it, and gives back its hold on the affinity.
   */
  async end(session: Session, still: (now: Session) => boolean): Promise<boolean> {
    const { before, changed } = await this.#replica.change(keyOfSession(session), (held) => {
      const now = held as Session | undefined;
      return now?.sessionId === session.sessionId && still(now) ? undefined : now;
    });
    if (changed) this.#ended(before as Entry<Session>);
    return changed;
  }

  /**
   * Changes a session by what happened to it; returning the same means no
   * change, undefined ends it. Tells of a move when its life changed.
   */
  async amend(key: string, sessionId: string, decide: (now: Session) => Session | undefined): Promise<void> {
    const { before, after, changed } = await this.#replica.change(key, (held) => {
      const now = held as Session | undefined;
      return now?.sessionId === sessionId ? decide(now) : now;
    });
    if (!changed) return;
    const [old, entry] = [before as Entry<Session>, after as Entry<Session> | undefined];
    if (!entry) return this.#ended(old);
    if (sameLife(old.value, entry.value)) return;
    this.#tell({ event: 'moved', entry, from: { nodeId: old.value.nodeId, nodeEpoch: old.value.nodeEpoch } });
    await this.affinities.follow(entry.value, old.value, false).catch(ignoreSilence);
  }

  /** Creates a session that was never bound here, e.g. routed while the store was away; undefined when the Call-ID is bound. */
  async adopt(session: Session): Promise<Entry<Session> | undefined> {
    if (this.index.size >= this.#maxSessions) return undefined;
    if (session.affinityKey) await this.affinities.join(session, []);
    const created = await this.#replica.create(keyOfSession(session), session);
    if (created) this.#tell({ event: 'bound', entry: created as Entry<Session> });
    return created as Entry<Session> | undefined;
  }

  /** A session by its id; memory is made sure to be current before it is said to be missing. */
  async find(sessionId: string): Promise<Entry<Session>> {
    const known = this.index.get(sessionId);
    if (known) return known;
    await this.#replica.catchUp();
    const found = this.index.get(sessionId);
    if (!found) throw gone(sessionId);
    return found;
  }

  /** The binding a request names. Errors: not_found; unavailable when memory lacks it and the store is silent. */
  async get({ tenantId, role, key }: GetRequest): Promise<Entry<Session>> {
    switch (key?.$case) {
      case 'sessionId': {
        const found = await this.find(key.value);
        if (tenantId && found.value.tenantId !== tenantId) throw gone(key.value);
        return found;
      }
      case 'callId': {
        const found = await this.#lookUp(callKey(tenantId, role, key.value));
        if (!found) throw fail('not_found', 'no session has this Call-ID');
        return found as Entry<Session>;
      }
      case 'affinityKey': {
        const found = await this.#lookUp(affinityKey(tenantId, role, key.value));
        if (found && isAffinity(found.value))
          for (const id of found.value.holders) {
            const holder = this.index.get(id);
            if (holder && sameLife(holder.value, found.value)) return holder;
          }
        throw fail('not_found', 'no session holds this affinity key');
      }
      default:
        throw fail('invalid_argument', 'key: expected call_id, session_id or affinity_key', { field: 'key' });
    }
  }

  async #lookUp(key: string): Promise<Entry<Held> | undefined> {
    return this.#replica.get(key) ?? (await this.#replica.read(key));
  }

  #ended(entry: Entry<Session>): void {
    this.#tell({ event: 'released', entry });
    this.#leave(entry.value);
  }

  /** Nobody waits for this, and the sweep finds holds that stayed because the store went silent. */
  #leave(session: Session): void {
    this.affinities.leave(session).catch(ignoreSilence);
  }
}

/** The caller's own earlier proposal counts as taken: it asks again because the answer was lost. */
function answer(entry: Entry<Session>, proposal: Session): Bound {
  return { entry, created: entry.value.sessionId === proposal.sessionId };
}

function gone(sessionId: string): CallmeshError {
  return fail('not_found', `no session ${sessionId}`);
}

function ignoreSilence(error: unknown): void {
  if (!(error instanceof CallmeshError && error.code === 'unavailable')) throw error;
}
