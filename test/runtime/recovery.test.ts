import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { natsServer, type Server } from '@callmesh/local';
import { RecoverRequest, RecoverResponse, RecoverySnapshot } from '@callmesh/proto/takeover';
import { askHeir, Nats, RecoveryStore, serveHeir } from '@callmesh/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testApp } from '../support/app.ts';

const dir = mkdtempSync(join(tmpdir(), 'callmesh-recovery-'));
let server: Server;
let nats: Nats;
let store: RecoveryStore;

beforeAll(async () => {
  server = await natsServer(dir);
  await server.process.start();
  nats = new Nats(testApp('recovery'), { servers: [server.url], replicas: 1 });
  await nats.start();
  store = new RecoveryStore(nats);
});
afterAll(async () => {
  await nats.stop();
  await server.process.stop();
  rmSync(dir, { recursive: true });
});

const leg = (nodeId: string, legUuid: string, more: object = {}) =>
  RecoverySnapshot.fromPartial({
    legUuid,
    life: { nodeId, epoch: 'e' },
    channel: Buffer.from('<cdr/>'),
    ...more,
  });

describe('snapshots of legs', () => {
  it('are listed by node, each as it was written last', async () => {
    for (let n = 0; n < 250; n += 1) await store.put(leg('a', `leg-${n}`));
    await store.put(leg('a', 'leg-7', { otherLegUuid: 'leg-8' }));
    await store.put(leg('ab', 'leg-1'));
    const kept = await store.list('a');
    expect(kept).toHaveLength(250);
    const seventh = kept.find(({ snapshot }) => snapshot.legUuid === 'leg-7')!.snapshot;
    expect(seventh).toEqual(leg('a', 'leg-7', { otherLegUuid: 'leg-8' }));
  });

  it('are claimed by one of many', async () => {
    await store.put(leg('b', 'leg'));
    const { snapshot, revision } = (await store.get('b', 'leg'))!;
    const claims = ['c', 'd', 'e'].map((nodeId) => ({ ...snapshot, heir: { nodeId, epoch: '1' } }));
    const won = await Promise.all(claims.map((claim) => store.replace(claim, revision)));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await store.get('b', 'leg'))!.snapshot.heir).toEqual(claims[won.findIndex(Boolean)]!.heir);
  });

  it('are gone when they are removed, and nobody claims them then', async () => {
    await store.put(leg('c', 'leg'));
    const { snapshot, revision } = (await store.get('c', 'leg'))!;
    await store.remove('c', 'leg');
    await store.remove('c', 'leg');
    expect(await store.get('c', 'leg')).toBeUndefined();
    expect(await store.list('c')).toEqual([]);
    expect(await store.replace(snapshot, revision)).toBeUndefined();
  });

  it('are written again to a NATS that lost everything', async () => {
    await store.put(leg('d', 'leg'));
    await server.process.kill();
    rmSync(join(dir, 'nats-data'), { recursive: true, force: true });
    await server.process.start();
    await expect
      .poll(
        () =>
          store.put(leg('d', 'leg')).then(
            () => store.list('d'),
            () => [],
          ),
        { timeout: 10_000 },
      )
      .toHaveLength(1);
  });
});

describe('an heir', () => {
  const request = () =>
    RecoverRequest.fromPartial({
      heir: { nodeId: 'h', epoch: '1' },
      expiresAt: new Date(Date.now() + 2_000),
    });

  it('that is not there is unavailable', async () => {
    await expect(askHeir(nats, request())).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('says for each leg what came of it', async () => {
    const legs = [{ legUuid: 'leg', outcome: 'resumed' }];
    const heir = serveHeir(nats, 'h', async () => RecoverResponse.fromPartial({ legs }));
    expect(await askHeir(nats, request())).toMatchObject({ legs, errorCode: '' });
    heir.close();
  });
});
