import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, Process } from '@callmesh/local';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CallStage, NUMBERS } from './call-stage.ts';

const ROOT = join(import.meta.dirname, '../..');
/** The TypeScript of the page, as it stands there. */
const [, example = ''] =
  /```ts\n(.*?)```/s.exec(readFileSync(join(ROOT, 'docs/call-control.md'), 'utf8')) ?? [];

let stage: CallStage;
let greeter: Process;
beforeAll(async () => {
  stage = await CallStage.start('standin');
  const { mesh } = stage.world;
  greeter = new Process({
    name: 'greeter',
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '--eval', example],
    cwd: join(ROOT, 'test'),
    env: {
      CALL_CONTROL: mesh.service('call-control-1').ready.grpc!,
      TOKEN: mesh.token,
      TENANT: 'acme',
      NUMBER: NUMBERS.control,
    },
    log: join(mesh.dir, 'greeter.log'),
    ready: async () => {},
  });
  await greeter.start();
}, 120_000);
afterAll(async () => {
  await greeter?.stop();
  await stage?.stop();
});

it('the service of docs/call-control.md greets a caller and brings it to its room', async () => {
  // It may not watch yet when the first call comes.
  const call = await eventually(async () => {
    const one = await stage.dial(NUMBERS.control);
    return eventually(() => one.status === 200 && one, 'the call is answered', 2_000);
  }, 'a call is greeted');
  const { legUuid } = await stage.created(call);
  expect(await stage.platform.told({ event: 'joined', legUuid })).toMatchObject({ room: 'lobby' });
});
