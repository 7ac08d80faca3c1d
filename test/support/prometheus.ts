import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, listening, Process } from '@callmesh/local';
import { stringify } from 'yaml';

/** One series of an answer: its labels, and its value now. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface Alert {
  readonly state: 'pending' | 'firing';
  readonly labels: Readonly<Record<string, string>>;
}

export interface PrometheusSpec {
  /** "host:port" of everything that serves /metrics, by job. */
  readonly targets: Readonly<Record<string, readonly string[]>>;
  /** Files of rules. */
  readonly rules?: readonly string[];
}

/** A Prometheus of Debian's that looks every second. */
export class Prometheus {
  readonly #process: Process;
  readonly #url: string;
  readonly #dir: string;

  private constructor(process: Process, url: string, dir: string) {
    this.#process = process;
    this.#url = url;
    this.#dir = dir;
  }

  static async start({ targets, rules = [] }: PrometheusSpec): Promise<Prometheus> {
    const dir = mkdtempSync(join(tmpdir(), 'prometheus-'));
    const port = await freePort();
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: rules,
      scrape_configs: Object.entries(targets).map(([job, addresses]) => ({
        job_name: job,
        static_configs: [{ targets: addresses }],
      })),
    };
    writeFileSync(join(dir, 'prometheus.yml'), stringify(config));
    const process = new Process({
      name: 'prometheus',
      command: 'prometheus',
      args: [
        `--config.file=${join(dir, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      log: join(dir, 'prometheus.log'),
      ready: () => listening(port),
    });
    await process.start();
    const prometheus = new Prometheus(process, `http://127.0.0.1:${port}`, dir);
    await eventually(async () => (await fetch(`${prometheus.#url}/-/ready`)).ok, 'Prometheus is ready');
    return prometheus;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** What an expression gives now. */
  async ask(query: string): Promise<Series[]> {
    const { result } = await this.#get<{ result: Series[] }>('query', { query });
    return result;
  }

  async alerts(): Promise<Alert[]> {
    return (await this.#get<{ alerts: Alert[] }>('alerts')).alerts;
  }

  async #get<T>(what: string, parameters: Record<string, string> = {}): Promise<T> {
    const answer = await fetch(`${this.#url}/api/v1/${what}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`${error}: ${parameters.query}`);
    return data;
  }
}
