import {
  type App,
  aboutCall,
  type Component,
  type ErrorCode,
  inSpan,
  SpanKind,
  toCallmeshError,
} from '@callmesh/runtime';
import type { Binding } from '../domain/model.ts';
import type { Mesh } from '../mesh.ts';
import type { BindStream } from './bind-stream.ts';
import { bindingFrom, bindingTo } from './proto.ts';

const LATER_EVERY_MS = 250;
/** How long a bind made up for may wait: no caller waits for it. */
const LATER_DEADLINE_MS = 2_000;
const LATER_AT_ONCE = 256;
/** What is worth binding late: after this the call has long been confirmed or is over. */
const LATER_TTL_MS = 60_000;
const LATER_LIMIT = 50_000;
/** Failures of session-cache or the way to it; any other code is an answer. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['unavailable', 'deadline', 'cancelled', 'internal']);

/** Asks session-cache which binding holds, and makes up later for what it could not be asked. */
export class Binder implements Component {
  readonly name = 'binder';
  readonly #app: App;
  readonly #mesh: Mesh;
  readonly #stream: BindStream;
  readonly #deadlineMs: number;
  readonly #later = new Map<string, { readonly proposal: Binding; readonly until: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(app: App, mesh: Mesh, stream: BindStream, deadlineMs: number) {
    this.#app = app;
    this.#mesh = mesh;
    this.#stream = stream;
    this.#deadlineMs = deadlineMs;
  }

  /** How many binds wait to be made up for. */
  get waiting(): number {
    return this.#later.size;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.#makeUp(), LATER_EVERY_MS);
  }

  async drain(): Promise<void> {
    await this.#makeUp();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  /**
   * The binding that holds: the proposal, or an earlier one. `replace` is an earlier
   * one whose node life is over. Undefined when session-cache does not answer.
   */
  async bind(proposal: Binding, replace: Binding | undefined): Promise<Binding | undefined> {
    try {
      const holder = await this.#ask(proposal, replace, this.#deadlineMs);
      this.#app.degraded('bindings', null);
      return holder;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#app.degraded('bindings', 'session-cache does not answer; bindings are in this instance only');
      this.#app.log.debug({ session: proposal.sessionId, reason }, 'bind put off');
      this.later(proposal);
      return undefined;
    }
  }

  /** Binds as soon as session-cache answers again. */
  later(proposal: Binding): void {
    if (this.#later.size >= LATER_LIMIT) this.#later.delete(this.#later.keys().next().value!);
    this.#later.set(proposal.sessionId, { proposal, until: Date.now() + LATER_TTL_MS });
  }

  async #ask(proposal: Binding, replace: Binding | undefined, deadlineMs: number): Promise<Binding> {
    const replaceDead = replace ? [{ nodeId: replace.nodeId, epoch: replace.nodeEpoch }] : [];
    const { binding } = await aboutCall({ session: proposal.sessionId }, () =>
      inSpan('bind', SpanKind.CLIENT, {}, () =>
        this.#stream.bind({ binding: bindingTo(proposal), replaceDead }, deadlineMs),
      ),
    );
    return (binding && bindingFrom(binding)) ?? proposal;
  }

  /** One first, to see whether it is answered; then many. */
  async #makeUp(): Promise<void> {
    const now = Date.now();
    for (const [id, { until }] of this.#later) if (until < now) this.#later.delete(id);
    const [first] = this.#later.values();
    if (first ? !(await this.#makeUpOne(first.proposal)) : this.#mesh.freshness.silentSince('sessions'))
      return;
    this.#app.degraded('bindings', null);
    await Promise.all(
      [...this.#later.values()].slice(0, LATER_AT_ONCE).map(({ proposal }) => this.#makeUpOne(proposal)),
    );
  }

  async #makeUpOne(proposal: Binding): Promise<boolean> {
    try {
      const holder = await this.#ask(proposal, undefined, LATER_DEADLINE_MS);
      this.#later.delete(proposal.sessionId);
      this.#mesh.bindings.put(holder, proposal.callId);
      if (holder.sessionId !== proposal.sessionId)
        this.#app.log.warn(
          {
            session: proposal.sessionId,
            node: proposal.nodeId,
            holder: holder.sessionId,
            holder_node: holder.nodeId,
          },
          'another instance had bound this call meanwhile',
        );
      return true;
    } catch (error) {
      const { code, message } = toCallmeshError(error);
      if (PASSING.has(code)) return false;
      // Refused for good: asking again would only keep the others waiting.
      this.#later.delete(proposal.sessionId);
      this.#app.log.error({ session: proposal.sessionId, code, reason: message }, 'bind refused');
      return true;
    }
  }
}
