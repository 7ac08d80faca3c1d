import { type App, fail } from '@callmesh/runtime';
import { answerKey, type Section } from '../../domain/xml/question.ts';
import { LastAnswers, type PolicyAnswer } from './last-answers.ts';

/** Most time one policy instance gets, and all of them together; FreeSWITCH itself gives up after 3 s. */
const TRY_MS = 800;
const TOTAL_MS = 2_500;
/** An instance that failed is asked last for so long, milliseconds. */
const LEFT_ALONE_MS = 2_000;
const MOST_BYTES = 256 * 1024;
const SESSION_ID = /^[0-9a-f]{16}$/;

/** Answers of policy to what FreeSWITCH asks, and the last good ones while it is away. */
export class PolicyAnswers {
  readonly #app: App;
  readonly #instances: () => readonly string[];
  readonly #last = new LastAnswers();
  readonly #failedAt = new Map<string, number>();

  /** `instances` names the base URLs of policy as they are known now. */
  constructor(app: App, instances: () => readonly string[]) {
    this.#app = app;
    this.#instances = instances;
  }

  /** The document; undefined when policy is away and the question is new. */
  async ask(section: Section, body: string): Promise<string | undefined> {
    const key = answerKey(section, new URLSearchParams(body));
    const until = Date.now() + TOTAL_MS;
    let reason = 'no policy instance is known';
    for (const instance of this.#inOrder()) {
      const left = until - Date.now();
      if (left <= 0) break;
      try {
        const { answer, lasting } = await this.#askOne(instance, section, body, Math.min(TRY_MS, left));
        this.#failedAt.delete(instance);
        this.#app.degraded('policy', null);
        if (lasting) this.#last.keep(key, answer);
        else this.#last.forget(key);
        return answer.document;
      } catch (error) {
        reason = `${instance}: ${(error as Error).message}`;
        this.#failedAt.set(instance, Date.now());
      }
    }
    this.#app.degraded('policy', `the last known answers are given (${reason})`);
    return this.#last.find(key);
  }

  /** In turn, those that failed a moment ago last: a frozen one costs its time once, not with every call. */
  #inOrder(): string[] {
    const since = Date.now() - LEFT_ALONE_MS;
    const resting = (instance: string) => Number((this.#failedAt.get(instance) ?? 0) > since);
    const shuffled = [...this.#instances()].sort(() => Math.random() - 0.5);
    return shuffled.sort((a, b) => resting(a) - resting(b));
  }

  async #askOne(
    instance: string,
    section: Section,
    body: string,
    ms: number,
  ): Promise<{ answer: PolicyAnswer; lasting: boolean }> {
    const response = await fetch(`${instance}/v1/freeswitch/${section}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.#app.config.auth.token}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(ms),
    });
    const document = await response.text();
    if (response.status !== 200) throw fail('unavailable', `HTTP ${response.status}`);
    if (document.length > MOST_BYTES || !document.includes('<document'))
      throw fail('unavailable', 'not a document');
    const sessionId = response.headers.get('x-callmesh-session') ?? '';
    const lasting = !/no-store/.test(response.headers.get('cache-control') ?? '');
    return { answer: { document, sessionId: SESSION_ID.test(sessionId) ? sessionId : '' }, lasting };
  }
}
