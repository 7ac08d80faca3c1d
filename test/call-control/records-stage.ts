import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, natsServer, type Process, type Server } from '@callmesh/local';
import { AuditServiceClient } from '@callmesh/proto/audit';
import type { CallEvent } from '@callmesh/proto/call';
import { CdrServiceClient, Disposition, type SessionRecord } from '@callmesh/proto/cdr';
import { type App, CallPublisher, call, grpcClient, Nats } from '@callmesh/runtime';
import { serviceProcess } from '../../deploy/local/src/service.ts';
import { eventsOf, type Story } from '../../services/call-control/test/calls.ts';
import { TOKEN, testApp } from '../support/app.ts';

export const ACME = { name: 'crm-acme', token: 'token-of-the-acme-crm', tenants: ['acme'] };

/** Replicas of call-control that keep records of what a node tells, on a NATS of their own. */
export class RecordsStage {
  readonly dir = mkdtempSync(join(tmpdir(), 'records-'));
  readonly replicas: Process[] = [];
  nats!: Server;
  publisher!: CallPublisher;
  connection!: Nats;
  #app!: App;
  readonly #clients: { close(): void }[] = [];

  static async start(configs: readonly Record<string, unknown>[]): Promise<RecordsStage> {
    const stage = new RecordsStage();
    stage.nats = await natsServer(stage.dir);
    await stage.nats.process.start();
    stage.#app = testApp('test', { nats: { servers: [stage.nats.url] } });
    stage.connection = stage.#app.add(new Nats(stage.#app, stage.#app.config.nats));
    stage.publisher = stage.#app.add(new CallPublisher(stage.#app, stage.connection));
    await stage.#app.lifecycle.start();
    for (const config of configs) await stage.addReplica(config);
    return stage;
  }

  async addReplica(config: Record<string, unknown>): Promise<Process> {
    // No etcd, policy or session-cache: records need none of them.
    const around = { dir: this.dir, etcd: 'http://127.0.0.1:1', nats: this.nats.url, token: TOKEN };
    const replica = serviceProcess(around, 'call-control', `call-control-${this.replicas.length + 1}`, {
      clients: [ACME],
      application: { enabled: false },
      ...config,
    });
    this.replicas.push(replica);
    return replica.start();
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const replica of this.replicas) await replica.stop();
    await this.#app?.lifecycle.shutdown();
    await this.nats?.process.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  cdr(token: string = TOKEN, replica = 0): CdrServiceClient {
    return this.#kept(grpcClient(callerWith(token), CdrServiceClient, this.#address(replica)));
  }

  audit(token: string = TOKEN, replica = 0): AuditServiceClient {
    return this.#kept(grpcClient(callerWith(token), AuditServiceClient, this.#address(replica)));
  }

  #address(replica: number): string {
    return this.replicas[replica]!.ready.grpc!;
  }

  #kept<C extends { close(): void }>(client: C): C {
    this.#clients.push(client);
    return client;
  }

  async degraded(replica = 0): Promise<Record<string, { reason: string }>> {
    const answer = await fetch(`http://${this.replicas[replica]!.ready.http}/health`);
    return ((await answer.json()) as { degraded: Record<string, { reason: string }> }).degraded;
  }

  /** Tells everything of these legs, as a node's agent does. */
  tell(...stories: Story[]): void {
    for (const event of stories.flatMap(eventsOf)) this.publisher.publish(event);
  }

  /** Tells events that are not what they should be. */
  tellRaw(subject: string, payload: string | CallEvent): Promise<unknown> {
    return this.connection.js.publish(
      subject,
      typeof payload === 'string' ? payload : JSON.stringify(payload),
    );
  }

  /** All sessions of a tenant, by every page there is. */
  async sessions(tenantId: string, client = this.cdr()): Promise<SessionRecord[]> {
    const all: SessionRecord[] = [];
    let pageToken = '';
    do {
      const page = await call(
        client,
        'listSessions',
        { ...PAGE, tenantId, pageToken },
        { deadlineMs: 10_000 },
      );
      all.push(...page.sessions);
      pageToken = page.nextPageToken;
    } while (pageToken);
    return all;
  }

  /** Resolves when so many sessions of a tenant have ended. */
  async ended(tenantId: string, count: number, ms = 30_000): Promise<SessionRecord[]> {
    const client = this.cdr();
    let all: SessionRecord[] = [];
    await eventually(
      async () => {
        all = (await this.sessions(tenantId, client)).filter(({ endedAt }) => endedAt);
        return all.length >= count;
      },
      `${count} sessions of ${tenantId} are recorded`,
      ms,
    );
    return all;
  }
}

/** A request for sessions that asks for nothing in particular. */
export const PAGE = {
  tenantId: '*',
  from: undefined,
  until: undefined,
  party: '',
  disposition: Disposition.DISPOSITION_UNSPECIFIED,
  pageSize: 500,
  pageToken: '',
};

/** Whoever holds this token. */
function callerWith(token: string) {
  return { name: 'test', instance: 'test-1', config: { auth: { token }, grpc: {} } };
}
