import type { Decided } from '@callmesh/proto/policy';
import type { ListDecisionsRequest, ListDecisionsResponse, SessionMove } from '@callmesh/proto/state';

const DECISIONS = 10_000;
const MOVES = 2_000;
const DEFAULT_LIMIT = 100;

/** The last of many: what is too much pushes out what is oldest. */
class Ring<T> {
  readonly #items: T[] = [];
  readonly #size: number;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  push(item: T): void {
    this.#items[this.#next] = item;
    this.#next = (this.#next + 1) % this.#size;
  }

  *newestFirst(): Generator<T> {
    const count = this.#items.length;
    for (let back = 1; back <= count; back += 1) yield this.#items[(this.#next - back + count) % count]!;
  }
}

/** What policy decided lately, and where sessions moved. */
export class Recent {
  readonly #decisions = new Ring<Decided>(DECISIONS);
  readonly #moves = new Ring<SessionMove>(MOVES);

  decided(decision: Decided): void {
    this.#decisions.push(decision);
  }

  moved(move: SessionMove): void {
    this.#moves.push(move);
  }

  /** Those that have all these words somewhere, newest first. */
  search(words: readonly string[], onlyRefused: boolean, limit: number): Decided[] {
    const found: Decided[] = [];
    for (const one of this.#decisions.newestFirst()) {
      if (found.length === limit) break;
      if (onlyRefused && !one.refusedCode) continue;
      const text = textOf(one);
      if (words.every((word) => text.includes(word))) found.push(one);
    }
    return found;
  }

  /** Newest first, with the moves of their sessions. */
  find(wanted: ListDecisionsRequest): ListDecisionsResponse {
    const limit = wanted.limit || DEFAULT_LIMIT;
    const decisions: Decided[] = [];
    for (const one of this.#decisions.newestFirst()) {
      if (decisions.length === limit) break;
      if (matches(one, wanted)) decisions.push(one);
    }
    const sessions = new Set(decisions.map(({ sessionId }) => sessionId));
    if (wanted.sessionId) sessions.add(wanted.sessionId);
    const moves = [...this.#moves.newestFirst()].filter(({ sessionId }) => sessions.has(sessionId));
    return { decisions, moves: moves.reverse() };
  }
}

function textOf({
  tenantId,
  edgeId,
  groupId,
  nodeId,
  reason,
  refusedCode,
  callId,
  sessionId,
}: Decided): string {
  return `${tenantId} ${edgeId} ${groupId} ${nodeId} ${reason} ${refusedCode} ${callId} ${sessionId}`.toLowerCase();
}

function matches(one: Decided, { sessionId, callId, tenantId, nodeId }: ListDecisionsRequest): boolean {
  return (
    (!sessionId || one.sessionId === sessionId) &&
    (!callId || one.callId === callId) &&
    (!tenantId || one.tenantId === tenantId) &&
    (!nodeId || one.nodeId === nodeId)
  );
}
