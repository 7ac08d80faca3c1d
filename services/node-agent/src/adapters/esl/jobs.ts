import { fail } from '@callmesh/runtime';
import type { EslEvent } from './event.ts';

interface Job {
  readonly what: string;
  readonly resolve: (result: EslEvent) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Background jobs by the id we gave them; their results are events, in any order. */
export class JobTable {
  readonly #jobs = new Map<string, Job>();

  get running(): number {
    return this.#jobs.size;
  }

  /** Resolves with the BACKGROUND_JOB event of this id. */
  expect(id: string, what: string, deadlineMs: number): Promise<EslEvent> {
    return new Promise((resolve, reject) => {
      const late = () => {
        this.#jobs.delete(id);
        reject(fail('deadline', `"${what}" was not done within ${deadlineMs} ms`));
      };
      this.#jobs.set(id, { what, resolve, reject, timer: setTimeout(late, deadlineMs) });
    });
  }

  /** A BACKGROUND_JOB event; false when the job is not ours: every connection hears of every job. */
  finish(event: EslEvent): boolean {
    const job = this.#take(event.get('Job-UUID') ?? '');
    job?.resolve(event);
    return job !== undefined;
  }

  /** FreeSWITCH refused to start the job. */
  refuse(id: string, error: Error): void {
    this.#take(id)?.reject(error);
  }

  rejectAll(reason: string): void {
    for (const [id, { what }] of [...this.#jobs]) {
      this.refuse(id, fail('outcome_unknown', `${reason}; how "${what}" ended is not known`));
    }
  }

  #take(id: string): Job | undefined {
    const job = this.#jobs.get(id);
    if (!job) return undefined;
    this.#jobs.delete(id);
    clearTimeout(job.timer);
    return job;
  }
}
