import { mkdirSync } from 'node:fs';
import type { Gauge, Meter, Tracer } from '@opentelemetry/api';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { type CommonConfig, loadConfig } from './config.ts';
import { CallmeshError } from './errors.ts';
import { adminServer } from './http.ts';
import { type Component, Lifecycle } from './lifecycle.ts';
import { createLogger } from './log.ts';
import { processMetrics } from './process-metrics.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';

export interface Health {
  readonly service: string;
  readonly instance: string;
  readonly status: 'starting' | 'ok' | 'degraded' | 'draining' | 'stopped';
  /** What cannot be promised now, by source, and since when (RFC 3339). */
  readonly degraded: Record<string, { reason: string; since: string }>;
}

/** What a service is built on; made by runService, handed to its composition root. */
export class App {
  readonly name: string;
  readonly instance: string;
  readonly config: CommonConfig;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly lifecycle: Lifecycle;
  /** Addresses to print when ready, e.g. { grpc: "127.0.0.1:7001" }. */
  readonly addresses: Record<string, () => string> = {};
  readonly #degraded = new Map<string, { reason: string; since: string }>();
  readonly #degradedGauge: Gauge;

  constructor(name: string, config: CommonConfig) {
    this.name = name;
    this.instance = config.instance;
    this.config = config;
    this.log = createLogger(name, config.instance, config.log.level);
    this.telemetry = startTelemetry(name, config.instance, config.telemetry);
    processMetrics(this.meter);
    this.lifecycle = new Lifecycle(this.log, config.shutdown.drain_s * 1000);
    this.#degradedGauge = this.meter.createGauge('callmesh_degraded', {
      description: '1 while the named source is silent and answers come from last known state',
    });
  }

  get meter(): Meter {
    return this.telemetry.meter;
  }

  get tracer(): Tracer {
    return this.telemetry.tracer;
  }

  add<C extends Component>(component: C): C {
    return this.lifecycle.add(component);
  }

  /** Says that something cannot be promised now, or (null) that it can again. */
  degraded(source: string, reason: string | null): void {
    const before = this.#degraded.get(source);
    if (reason === null) {
      if (before) this.log.info({ source }, 'recovered');
      this.#degraded.delete(source);
    } else if (before?.reason !== reason) {
      this.#degraded.set(source, { reason, since: before?.since ?? new Date().toISOString() });
      this.log.warn({ source, reason }, 'degraded');
    }
    this.#degradedGauge.record(reason === null ? 0 : 1, { source });
  }

  health(): Health {
    const state = this.lifecycle.state;
    return {
      service: this.name,
      instance: this.instance,
      status: state === 'ready' ? (this.#degraded.size ? 'degraded' : 'ok') : state,
      degraded: Object.fromEntries(this.#degraded),
    };
  }
}

/** Exit codes: 0 stopped as asked, 1 failed while running, 2 refused its config. */
const EXIT_FAILED = 1;
const EXIT_CONFIG = 2;

/**
 * A service's whole main: reads `--config`, builds the app, lets `wire` add its
 * parts, starts them, says `ready` on one log line, and shuts down in two stages
 * on SIGTERM or SIGINT; a second signal ends it at once.
 */
export async function runService<S extends z.ZodType<CommonConfig>>(
  name: string,
  schema: S,
  wire: (app: App, config: z.infer<S>) => Promise<void> | void,
): Promise<void> {
  const config = readConfig(schema);
  mkdirSync(config.state_dir, { recursive: true });
  const app = new App(name, config);
  const admin = app.add(adminServer(app, config.http.listen));
  app.addresses.http = () => admin.address;
  handleSignals(app);
  try {
    await wire(app, config);
    await app.lifecycle.start();
  } catch (error) {
    app.log.fatal({ err: error }, 'failed to start');
    await app.lifecycle.shutdown();
    process.exit(EXIT_FAILED);
  }
  const bound = Object.fromEntries(Object.entries(app.addresses).map(([key, get]) => [key, get()]));
  if (app.lifecycle.state === 'ready') app.log.info(bound, 'ready');
}

function readConfig<S extends z.ZodType<CommonConfig>>(schema: S): z.infer<S> {
  try {
    return loadConfig(schema);
  } catch (error) {
    process.stderr.write(`${error instanceof CallmeshError ? error.message : String(error)}\n`);
    process.exit(EXIT_CONFIG);
  }
}

function handleSignals(app: App): void {
  let signals = 0;
  const end = async (signal: string) => {
    signals += 1;
    if (signals > 1) process.exit(EXIT_FAILED);
    app.log.info({ signal }, 'shutting down');
    await app.lifecycle.shutdown();
    await app.telemetry.shutdown().catch(() => {});
    app.log.info('stopped');
    process.exit(0);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  // A stray rejection is a fault to mend, not a reason to drop every call this process routes.
  process.on('unhandledRejection', (error) => app.log.error({ err: error }, 'unhandled rejection'));
  process.on('uncaughtException', (error) => {
    app.log.fatal({ err: error }, 'uncaught exception');
    process.exit(EXIT_FAILED);
  });
}
