import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { fail } from './errors.ts';
import { etcdConfig, natsConfig } from './stores.ts';

const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/;

/** "host:port"; port 0 asks for any free one. */
export const listenAddress = z
  .string()
  .regex(ADDRESS, 'expected host:port, e.g. 127.0.0.1:7001')
  .refine((value) => Number(value.slice(value.lastIndexOf(':') + 1)) <= 65535, 'expected a port up to 65535');

/** Certificate files for mutual TLS; all three or none. */
export const tlsFiles = z.strictObject({ cert: z.string(), key: z.string(), ca: z.string() });

/** What every service's config has; a service adds its own keys beside these. */
export const commonConfig = {
  instance: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/, 'expected 1-63 of a-z, 0-9 and "-"')
    .default(
      () =>
        `${hostname()
          .toLowerCase()
          .replace(/[^a-z0-9-]/g, '-')
          .slice(0, 50)}-${process.pid}`,
    ),
  log: z
    .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info') })
    .prefault({}),
  grpc: z
    .strictObject({
      listen: listenAddress.default('127.0.0.1:0'),
      /** Address others reach it at, where that is not the one it listens on. */
      advertise: listenAddress.optional(),
      tls: tlsFiles.optional(),
    })
    .prefault({}),
  http: z.strictObject({ listen: listenAddress.default('127.0.0.1:0') }).prefault({}),
  etcd: etcdConfig.prefault({}),
  nats: natsConfig.prefault({}),
  /** Shared secret of the mesh, sent as bearer token on every internal call. */
  auth: z.strictObject({
    token: z.string().min(16, 'expected at least 16 characters'),
    /** Further tokens that are taken, while one is changed for another; never sent. */
    accepted: z.array(z.string().min(16, 'expected at least 16 characters')).default([]),
    /** Common names of client certificates (`grpc.tls`) that stand for the mesh without the token: operators'. */
    certificates: z.array(z.string().min(1)).default([]),
  }),
  shutdown: z.strictObject({ drain_s: z.number().positive().default(20) }).prefault({}),
  telemetry: z
    .strictObject({
      /** Share of calls that are traced. Where a call enters, at policy, it is decided for all. */
      trace_ratio: z.number().min(0).max(1).default(0),
      /** A collector that traces and metrics are pushed to (OTLP over HTTP); without it metrics are only served. */
      otlp: z
        .strictObject({
          /** Base URL, e.g. http://collector:4318. */
          endpoint: z.url().transform((url) => url.replace(/\/+$/, '')),
          /** Sent with each request; `${NAME}` is taken from the environment. */
          headers: z.record(z.string(), z.string()).default({}),
          metrics_every_s: z.number().min(1).default(15),
        })
        .optional(),
    })
    .prefault({}),
  /** Folder for what must survive a restart; created when absent. */
  state_dir: z.string().min(1),
} as const;

/** The keys every service shares, as parsed. */
export type CommonConfig = z.infer<z.ZodObject<typeof commonConfig, z.core.$strict>>;

/** Replaces `${NAME}` in every string by the environment's value; an unset one is an error that names the key. */
function substitute(value: unknown, env: NodeJS.ProcessEnv, path: string): unknown {
  if (typeof value === 'string') {
    return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = env[name];
      if (found === undefined)
        throw fail('invalid_argument', `${path}: environment variable ${name} is not set`, { field: path });
      return found;
    });
  }
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, env, `${path}[${index}]`));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, substitute(item, env, path ? `${path}.${key}` : key)]),
    );
  }
  return value;
}

/**
 * Parses a YAML document against a service's schema. Unknown keys are refused.
 * Errors: invalid_argument, naming the first wrong key and what was expected.
 */
export function parseConfig<S extends z.ZodType>(schema: S, text: string, env = process.env): z.infer<S> {
  const result = schema.safeParse(substitute(parseYaml(text) ?? {}, env, ''));
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const keys = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]] : issue.path;
  const field = keys.join('.') || '(document)';
  throw fail('invalid_argument', `config ${field}: ${issue.message}`, { field });
}

function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw fail('invalid_argument', `config is not YAML: ${(error as Error).message}`, {
      field: '(document)',
      cause: error,
    });
  }
}

/** Reads the file named by `--config FILE`. */
export function loadConfig<S extends z.ZodType>(schema: S, argv = process.argv.slice(2)): z.infer<S> {
  const { values } = parseArgs({
    args: argv,
    options: { config: { type: 'string', short: 'c' } },
    strict: true,
  });
  if (!values.config) throw fail('invalid_argument', 'expected --config FILE', { field: '--config' });
  return parseConfig(schema, readFileSync(values.config, 'utf8'));
}
