import type { Signs } from '../../domain/liveness.ts';
import type { EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';

/** How often FreeSWITCH is asked, milliseconds. */
const PROBE_MS = 1_000;
/** Longest wait for one answer, milliseconds; the verdict falls long before. */
const PROBE_DEADLINE_MS = 10_000;
/** Cheap, answered from memory, and the one thing no event tells: whether the node is paused. */
const QUESTION = 'fsctl pause_check inbound';

/** Signs of life of one FreeSWITCH: heartbeats, and answers to a question asked every second. */
export class Pulse {
  readonly #onChange: () => void;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #askedAt: number | undefined;
  #heartbeatAt = 0;
  #heartbeatEveryMs: number | undefined;
  #sawHeartbeat = false;
  #paused = false;
  /** Percent, from the last heartbeat. */
  idleCpu = 0;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  signs(closed: string | undefined): Signs {
    return {
      closed,
      askedAt: this.#askedAt,
      heartbeatAt: this.#heartbeatAt,
      heartbeatEveryMs: this.#heartbeatEveryMs,
      paused: this.#paused,
    };
  }

  /** A connection was made: everything is waited for anew. */
  begin(connection: EslConnection, now: number): void {
    this.end();
    this.#askedAt = undefined;
    this.#sawHeartbeat = false;
    this.#heartbeatAt = now;
    this.#timer = setInterval(() => void this.#probe(connection), PROBE_MS);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#asking = false;
  }

  heartbeat(event: EslEvent, now: number): void {
    if (this.#sawHeartbeat) this.#heartbeatEveryMs = Math.max(PROBE_MS, now - this.#heartbeatAt);
    this.#sawHeartbeat = true;
    this.#heartbeatAt = now;
    this.idleCpu = event.number('Idle-CPU') ?? this.idleCpu;
  }

  async #probe(connection: EslConnection): Promise<void> {
    this.#onChange();
    if (this.#asking || connection.closed) return;
    this.#asking = true;
    this.#askedAt ??= Date.now();
    try {
      this.#paused = (await connection.api(QUESTION, PROBE_DEADLINE_MS)) === 'true';
      this.#askedAt = undefined;
      this.#onChange();
    } catch {
      // Unanswered: the time of the oldest question stands, and the verdict follows from it.
    } finally {
      this.#asking = false;
    }
  }
}
