import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Kind, TenantRegistryServiceClient } from '@callmesh/proto/tenant';
import { App, call, grpcClient, parseConfig } from '@callmesh/runtime';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { configSchema } from '../src/config.ts';

// A first start of an embedded database or a server takes seconds of CPU, and other tests run beside.
vi.setConfig({ hookTimeout: 120_000, testTimeout: 60_000 });

const MAIN = new URL('../src/main.ts', import.meta.url).pathname;
const TOKEN = '0123456789abcdef';

interface Line {
  readonly msg: string;
  readonly grpc?: string;
  readonly err?: { readonly message: string };
}

/** The service as a process, without etcd and NATS: it must not need them. */
function startProcess(dir: string, config: Record<string, unknown> = {}) {
  const file = join(dir, `config-${Math.random().toString(36).slice(2)}.yaml`);
  const common = {
    instance: 'registry-1',
    etcd: { endpoints: ['http://127.0.0.1:1'] },
    nats: { servers: ['nats://127.0.0.1:1'] },
    auth: { token: TOKEN },
    state_dir: join(dir, 'state'),
  };
  writeFileSync(file, stringify({ ...common, ...config }));
  const child: ChildProcess = spawn(process.execPath, [MAIN, '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: Line[] = [];
  let errors = '';
  child.stderr!.on('data', (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const ready = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (text) => {
      const line = JSON.parse(text) as Line;
      lines.push(line);
      if (line.msg === 'ready') resolve(line.grpc!);
    });
    void ended.then((code) =>
      reject(new Error(`ended with ${code}: ${errors}${JSON.stringify(lines.at(-1))}`)),
    );
  });
  ready.catch(() => {});
  return { child, lines, ended, ready, errors: () => errors };
}

describe('the tenant-registry process', () => {
  const dir = mkdtempSync(join(tmpdir(), 'callmesh-registry-'));
  const seed = join(dir, 'seed.yaml');
  const app = new App(
    'test',
    parseConfig(configSchema, `instance: test\nauth: { token: ${TOKEN} }\nstate_dir: ${dir}\n`),
  );
  let running: ReturnType<typeof startProcess>;
  let client: TenantRegistryServiceClient;
  const start = async () => {
    running = startProcess(dir, { seed: [seed] });
    client = grpcClient(app, TenantRegistryServiceClient, await running.ready);
  };
  const list = () =>
    call(
      client,
      'list',
      { kind: Kind.KIND_TENANT, tenantId: '', pageSize: 1000, pageToken: '' },
      { deadlineMs: 10_000 },
    );
  const importYaml = (yaml: string) =>
    call(client, 'importTenant', { yaml, dryRun: false, actor: 'test' }, { deadlineMs: 10_000 });

  beforeAll(async () => {
    writeFileSync(
      seed,
      'node_groups: [{ id: media-a, role: media }]\n---\ntenant: { id: acme, domain: acme.example }\n',
    );
    await start();
  });
  afterAll(async () => {
    client?.close();
    running?.child.kill('SIGKILL');
    await running?.ended;
    rmSync(dir, { recursive: true, force: true });
  });

  it('starts on an empty folder, without etcd and NATS, and creates its seed', async () => {
    expect((await list()).resources.map(({ value }) => value?.value)).toMatchObject([{ id: 'acme' }]);
    expect(running.lines.filter(({ msg }) => msg === 'ready')).toHaveLength(1);
  });

  it('refuses a folder that another process has open', async () => {
    const second = startProcess(dir);
    expect(await second.ended).toBe(1);
    expect(JSON.stringify(second.lines)).toContain('is in use by process');
  });

  it('refuses a wrong config with exit status 2, by name', async () => {
    const wrong = startProcess(dir, { databse: {} });
    expect(await wrong.ended).toBe(2);
    expect(wrong.errors()).toContain('config databse: ');
  });

  it('ends when its seed is wrong, and says where', async () => {
    const bad = join(dir, 'bad.yaml');
    writeFileSync(bad, 'tenant: { id: ACME, domain: acme.example }');
    const wrong = startProcess(dir, { seed: [bad], embedded: { storage: 'memory' } });
    expect(await wrong.ended).toBe(1);
    expect(JSON.stringify(wrong.lines)).toContain('bad.yaml: line 1, column 15: tenant.id: expected');
  });

  it('loses nothing it has acknowledged when it is killed, and keeps what was changed over its seed', async () => {
    await importYaml('tenant: { id: acme, domain: acme.example, name: changed }');
    let acknowledged = 0;
    const writing = (async () => {
      for (let n = 0; ; n++) {
        await importYaml(`tenant: { id: t-${n}, domain: t-${n}.example }`);
        acknowledged += 1;
      }
    })();
    writing.catch(() => {});
    await expect.poll(() => acknowledged, { timeout: 10_000 }).toBeGreaterThan(20);
    const { revision } = await list();
    running.child.kill('SIGKILL');
    await running.ended;
    await writing.catch(() => {});
    client.close();
    await start();
    const after = await list();
    const ids = new Set(after.resources.map(({ value }) => (value!.value as { id: string }).id));
    for (let n = 0; n < acknowledged; n++) expect(ids).toContain(`t-${n}`);
    expect(after.revision).toBeGreaterThanOrEqual(revision);
    expect(
      after.resources.find(({ value }) => (value!.value as { id: string }).id === 'acme')?.value,
    ).toMatchObject({
      value: { name: 'changed' },
    });
  });

  it('stops on SIGTERM with exit status 0 and gives its folder back', async () => {
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    client.close();
    await start();
    expect((await list()).resources.length).toBeGreaterThan(20);
  });
});
