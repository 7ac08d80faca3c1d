import { type App, continueTrace, fail, inject, inSpan, SpanKind } from '@callmesh/runtime';
import { type Document, documentOf } from '../../domain/xml/document.ts';
import { answerKey, type Question, traceOf } from '../../domain/xml/question.ts';
import { Turns } from '../../domain/xml/turns.ts';
import { LastAnswers } from './last-answers.ts';

/** Most time one policy instance gets, and all of them together; FreeSWITCH itself gives up after 3 s. */
const TRY_MS = 800;
const TOTAL_MS = 2_500;
const MOST_BYTES = 256 * 1024;

/** Where an answer came from. */
type Source = 'policy' | 'memory' | 'nobody';

/** Answers of policy to what FreeSWITCH asks, and the last good ones while it is away. */
export class PolicyAnswers {
  readonly #app: App;
  readonly #instances: () => readonly string[];
  readonly #last = new LastAnswers();
  readonly #turns = new Turns();
  readonly #answered: (question: Question, source: Source, ms: number) => void;

  /** `instances` names the base URLs of policy as they are known now. */
  constructor(app: App, instances: () => readonly string[]) {
    this.#app = app;
    this.#instances = instances;
    const duration = app.meter.createHistogram('callmesh_node_question_duration_seconds', {
      unit: 's',
      description: 'time to answer what FreeSWITCH asks of the mesh, by section and by who knew the answer',
    });
    this.#answered = ({ section }, source, ms) => duration.record(ms / 1000, { section, source });
  }

  /** The document; undefined when policy is away and the question is new. `body` is the form as it came. */
  ask(question: Question, body: string): Promise<string | undefined> {
    return continueTrace(traceOf(question), () =>
      inSpan(`ask ${question.section}`, SpanKind.CLIENT, {}, () => this.#ask(question, body)),
    );
  }

  async #ask(question: Question, body: string): Promise<string | undefined> {
    const began = performance.now();
    const key = answerKey(question);
    const asked = await this.#askEach(key, question, body);
    if (asked) this.#remember(key, asked);
    const document = asked?.text ?? this.#last.find(key);
    const reason = asked ? null : 'no instance answers: the last known answers are given';
    this.#app.degraded('policy', reason);
    const source = asked ? 'policy' : document === undefined ? 'nobody' : 'memory';
    this.#answered(question, source, performance.now() - began);
    return document;
  }

  /** What is so for a moment neither is kept nor outdates what is; what is nowhere any more is forgotten. */
  #remember(key: string, document: Document): void {
    if (document.momentary) return;
    if (document.nothing) this.#last.forget(key);
    else this.#last.keep(key, document);
  }

  /** One after another. A silent one is worth the wait only where nothing else is known. */
  async #askEach(key: string, { section }: Question, body: string): Promise<Document | undefined> {
    const until = Date.now() + TOTAL_MS;
    const { ready, alone } = this.#turns.order(this.#instances(), Date.now());
    for (const instance of this.#last.has(key) ? ready : [...ready, ...alone]) {
      const left = until - Date.now();
      if (left <= 0) break;
      this.#turns.asks(instance, Date.now());
      try {
        const document = await this.#askOne(
          `${instance}/v1/freeswitch/${section}`,
          body,
          Math.min(TRY_MS, left),
        );
        this.#turns.answered(instance);
        return document;
      } catch (error) {
        this.#failed(instance, error as Error);
      }
    }
    return undefined;
  }

  /** One that refuses at once costs no time: it is asked again with the next question. */
  #failed(instance: string, { name, message: reason }: Error): void {
    const silent = name === 'TimeoutError';
    if (silent) this.#turns.silent(instance, Date.now());
    else this.#turns.answered(instance);
    this.#app.log[silent ? 'warn' : 'debug']({ instance, reason }, 'policy did not answer');
  }

  async #askOne(url: string, body: string, ms: number): Promise<Document> {
    const trace: Record<string, string> = {};
    inject(trace, { set: (carrier, key, value) => Object.assign(carrier, { [key]: value }) });
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        ...trace,
        authorization: `Bearer ${this.#app.config.auth.token}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(ms),
    });
    const text = await response.text();
    if (response.status !== 200) throw fail('unavailable', `HTTP ${response.status}`);
    const document = text.length <= MOST_BYTES && documentOf(text, (name) => response.headers.get(name));
    if (!document) throw fail('unavailable', 'not a document');
    return document;
  }
}
