import type { Entry } from './replica.ts';
import { type Affinity, type Held, isAffinity, type Session } from './session.ts';

type SessionEntry = Entry<Session>;

/** Finds sessions by what they are asked for; fed by the replica's changes. */
export class SessionIndex {
  readonly #byId = new Map<string, SessionEntry>();
  readonly #byNode = new Map<string, Set<string>>();
  readonly #byTenant = new Map<string, Set<string>>();
  readonly affinities = new Map<string, Affinity>();

  get size(): number {
    return this.#byId.size;
  }

  get(sessionId: string): SessionEntry | undefined {
    return this.#byId.get(sessionId);
  }

  /** Session ids on a node, of a tenant, or both; of the narrower set when both are asked for. */
  *find(nodeId: string, tenantId: string): Generator<SessionEntry> {
    const ids = nodeId
      ? (this.#byNode.get(nodeId) ?? [])
      : tenantId
        ? (this.#byTenant.get(tenantId) ?? [])
        : this.#byId.keys();
    for (const id of ids) {
      const entry = this.#byId.get(id)!;
      if (!tenantId || entry.value.tenantId === tenantId) yield entry;
    }
  }

  /** How many live on each node. */
  *countByNode(): Generator<[string, number]> {
    for (const [node, ids] of this.#byNode) yield [node, ids.size];
  }

  update(key: string, before: Entry<Held> | undefined, after: Entry<Held> | undefined): void {
    if (after ? isAffinity(after.value) : before && isAffinity(before.value)) {
      if (after) this.affinities.set(key, after.value as Affinity);
      else this.affinities.delete(key);
      return;
    }
    const [old, now] = [before?.value as Session | undefined, after?.value as Session | undefined];
    if (old && this.#byId.get(old.sessionId)?.value === old) this.#drop(old, now);
    if (now) this.#add(now, after as SessionEntry);
  }

  #drop(old: Session, now: Session | undefined): void {
    if (old.sessionId !== now?.sessionId) this.#byId.delete(old.sessionId);
    if (old.sessionId !== now?.sessionId || old.nodeId !== now.nodeId)
      take(this.#byNode, old.nodeId, old.sessionId);
    if (old.sessionId !== now?.sessionId) take(this.#byTenant, old.tenantId, old.sessionId);
  }

  #add(now: Session, entry: SessionEntry): void {
    this.#byId.set(now.sessionId, entry);
    put(this.#byNode, now.nodeId, now.sessionId);
    put(this.#byTenant, now.tenantId, now.sessionId);
  }
}

function put(sets: Map<string, Set<string>>, name: string, id: string): void {
  const set = sets.get(name);
  if (set) set.add(id);
  else sets.set(name, new Set([id]));
}

function take(sets: Map<string, Set<string>>, name: string, id: string): void {
  const set = sets.get(name);
  set?.delete(id);
  if (set?.size === 0) sets.delete(name);
}
