import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PolicyServiceClient } from '@callmesh/proto/policy';
import { grpcClient } from '@callmesh/runtime';
import { stringify } from 'yaml';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const TOKEN = 'a-token-of-enough-length';
/** Nothing listens there: that service is away. */
const NOWHERE = '127.0.0.1:9';

/** A policy process of its own, with its addresses and log. */
export class PolicyProcess {
  readonly log: Record<string, unknown>[] = [];
  readonly #child: ChildProcess;
  #ready: Record<string, string> | undefined;

  constructor(folder: string, services: string) {
    const file = join(folder, 'policy.yaml');
    writeFileSync(
      file,
      stringify({
        instance: 'policy-1',
        etcd: { endpoints: [`http://${NOWHERE}`] },
        nats: { servers: [`nats://${NOWHERE}`] },
        auth: { token: TOKEN },
        state_dir: join(folder, 'state'),
        services: { tenant_registry: services, state: services, session_cache: services },
      }),
    );
    this.#child = spawn(process.execPath, [MAIN, '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const entry = JSON.parse(line) as Record<string, unknown>;
      this.log.push(entry);
      if (entry.msg === 'ready') this.#ready = entry as Record<string, string>;
    });
  }

  /** Its addresses once it is ready. */
  async ready(): Promise<Record<string, string>> {
    await until(() => this.#ready !== undefined, 50_000);
    return this.#ready!;
  }

  async post(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
    const { api } = await this.ready();
    const response = await fetch(`http://${api}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  /** Routes a call of acme's PBX. */
  route(callId: string, over: Record<string, unknown> = {}) {
    return this.post('/v1/routes/session', {
      edge: 'kama-pstn-1',
      call_id: callId,
      from_uri: 'sip:100@192.0.2.10',
      to_uri: 'sip:+4930999@10.0.9.1',
      request_uri: 'sip:+4930999@10.0.9.1',
      source_address: '192.0.2.10',
      source_port: 5060,
      transport: 'udp',
      ...over,
    });
  }

  /** Asks as FreeSWITCH does; the answer's text and headers. */
  async freeswitch(
    what: string,
    fields: Record<string, string>,
  ): Promise<{ text: string; headers: Headers }> {
    const { api } = await this.ready();
    const response = await fetch(`http://${api}/v1/freeswitch/${what}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
      body: new URLSearchParams(fields),
    });
    return { text: await response.text(), headers: response.headers };
  }

  /** Asks over gRPC. */
  async grpc<T>(ask: (client: PolicyServiceClient) => Promise<T>): Promise<T> {
    const { grpc } = await this.ready();
    const caller = { name: 'test', instance: 'test-1', config: { auth: { token: TOKEN }, grpc: {} } };
    const client = grpcClient(caller, PolicyServiceClient, grpc!);
    try {
      return await ask(client);
    } finally {
      client.close();
    }
  }

  async health(): Promise<{ status: string; degraded: Record<string, unknown> }> {
    const { http } = await this.ready();
    return (await (await fetch(`http://${http}/health`)).json()) as {
      status: string;
      degraded: Record<string, unknown>;
    };
  }

  async metrics(): Promise<string> {
    const { http } = await this.ready();
    return (await fetch(`http://${http}/metrics`)).text();
  }

  /** Ends it; resolves with its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const exited = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    this.#child.kill(signal);
    return exited;
  }
}

/** Waits for a condition, looking often; fails when the time is over. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
