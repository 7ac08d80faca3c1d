import type { CallEvent } from '@callmesh/proto/call';
import { FunctionMessage } from '@callmesh/proto/tenant';
import { isSessionEvent } from './check.ts';
import { callKey, keyOfSession } from './keys.ts';
import { isOver, legCreated, legEnded, MAX_ENDED } from './legs.ts';
import { Recent } from './recent.ts';
import type { Replica } from './replica.ts';
import { type Held, isAffinity, type Session } from './session.ts';
import type { Sessions } from './sessions.ts';

/** How long an ended session is remembered, milliseconds: longer than a redelivery takes. */
const REMEMBER_MS = 120_000;
const REMEMBER_MOST = 50_000;
/** An event older than this creates no session any more: its hangup may long be forgotten. */
const ADOPT_MS = 600_000;

/** Keeps sessions true to what nodes report of their legs. Events may come twice, late, and in any order. */
export class Calls {
  readonly #sessions: Sessions;
  readonly #replica: Replica<Held>;
  /** Sessions that ended, by id: tells a late or repeated event from a new one. */
  readonly #recent = new Recent<Session>(REMEMBER_MS, REMEMBER_MOST);
  /** Legs whose hangup found no session: their late creation must not make one. */
  readonly #hungUp = new Recent<true>(REMEMBER_MS, REMEMBER_MOST);
  readonly #now: () => number;

  constructor(sessions: Sessions, replica: Replica<Held>, now: () => number) {
    this.#sessions = sessions;
    this.#replica = replica;
    this.#now = now;
    replica.onChange((_key, before, after) => {
      if (before && !after && !isAffinity(before.value))
        this.#recent.add(before.value.sessionId, before.value, this.#now());
    });
  }

  /** Takes one event; rejects with `unavailable` when it must be delivered again. */
  async handle(event: CallEvent): Promise<void> {
    if (event.event !== 'created' && event.event !== 'hangup') return;
    if (!isSessionEvent(event)) return;
    if (event.event === 'created' && this.#hungUp.get(event.legUuid)) return;
    const session = await this.#find(event);
    if (session) await this.#apply(session, event);
    else await this.#orphan(event);
  }

  async #find(event: CallEvent): Promise<Session | undefined> {
    const known = this.#sessions.index.get(event.sessionId);
    if (known) return known.value;
    // Ended already: no need to ask the store about what is usually a repetition.
    if (!this.#recent.get(event.sessionId)) await this.#replica.catchUp();
    return this.#sessions.index.get(event.sessionId)?.value;
  }

  async #apply(session: Session, event: CallEvent): Promise<void> {
    // An event cannot speak for another tenant's session, whatever id it carries.
    if (event.tenantId && event.tenantId !== session.tenantId) return;
    if (event.role !== session.role) return;
    if (event.event === 'created' && session.legs.some(({ uuid }) => uuid === event.legUuid)) return;
    let met = false;
    await this.#sessions.amend(keyOfSession(session), session.sessionId, (now) => {
      met = true;
      if (event.event === 'created') return legCreated(now, event);
      const next = legEnded(now, event);
      // A hangup that overtook its creation: the sweep ends the session unless another leg shows up.
      const known = now.legs.some((leg) => leg.uuid === event.legUuid);
      return next !== now && known && isOver(next) ? undefined : next;
    });
    if (!met) await this.#orphan(event);
  }

  async #orphan(event: CallEvent): Promise<void> {
    if (event.event === 'created') await this.#adopt(event);
    else this.#hungUp.add(event.legUuid, true, this.#now());
  }

  /**
   * A leg of a session nobody bound, or that ended when its last known leg did:
   * an edge that fell back while policy or the store was away, or that went on
   * to the next target. Without a binding the call could not be moved later.
   */
  async #adopt(event: CallEvent): Promise<void> {
    const recent = this.#recent.get(event.sessionId);
    const ended = recent && [...recent.ended, ...recent.legs.map((leg) => leg.uuid)];
    if (ended?.includes(event.legUuid)) return;
    if (!recent && (event.outbound || !event.tenantId || !event.callId || this.#isOld(event))) return;
    const blank: Session = recent
      ? { ...recent, legs: [], ended: ended!.slice(-MAX_ENDED), confirmed: false }
      : this.#blank(event);
    const session = legCreated({ ...blank, nodeId: event.nodeId, nodeEpoch: event.nodeEpoch }, event);
    if (session.legs.length === 0 || (await this.#sessions.adopt(session))) return;
    const key = callKey(session.tenantId, session.role, session.callId);
    const holder = (await this.#replica.read(key))?.value as Session | undefined;
    if (holder?.sessionId === event.sessionId)
      await this.#sessions.amend(key, event.sessionId, (now) => legCreated(now, event));
  }

  #isOld(event: CallEvent): boolean {
    return this.#now() - (event.at?.getTime() ?? 0) > ADOPT_MS;
  }

  #blank(event: CallEvent): Session {
    return {
      sessionId: event.sessionId,
      tenantId: event.tenantId,
      callId: event.callId,
      affinityKey: '',
      nodeId: event.nodeId,
      nodeEpoch: event.nodeEpoch,
      role: event.role,
      function: FunctionMessage.FUNCTION_UNSPECIFIED,
      groupId: '',
      edgeId: '',
      trunkId: '',
      confirmed: false,
      createdAt: this.#now(),
      legs: [],
      ended: [],
    };
  }
}
