import { Authority } from '@callmesh/local';
import { StateServiceService } from '@callmesh/proto/state';
import { type App, grpcServer, unaryHandler } from '@callmesh/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TOKEN, testApp } from '../support/app.ts';
import { type Run, runHere } from './run.ts';

const authority = new Authority();
let app: App;
let address: string;

beforeAll(async () => {
  for (const [name, alternative] of [
    ['state', 'IP:127.0.0.1'],
    ['night-shift', ''],
    ['stranger', ''],
  ] as const)
    authority.issue(name, alternative);
  const tls = {
    ca: authority.file('ca.pem'),
    cert: authority.file('state.pem'),
    key: authority.file('state.key'),
  };
  app = testApp('state', { auth: { token: TOKEN, certificates: ['night-shift'] }, grpc: { tls } });
  const listNodes = unaryHandler(() => ({ nodes: [], silentSources: [] }));
  const service = {
    ...Object.fromEntries(Object.keys(StateServiceService).map((name) => [name, listNodes])),
  };
  const server = app.add(grpcServer(app, app.config.grpc, [[StateServiceService, service]]));
  await app.lifecycle.start();
  address = server.address;
});
afterAll(async () => {
  await app.lifecycle.shutdown();
  authority.remove();
});

/** `callmesh nodes` with this certificate, and a token or none. */
function nodes(certificate: string, token = ''): Promise<Run> {
  const files = { ca: 'ca.pem', cert: `${certificate}.pem`, key: `${certificate}.key` };
  const tls = Object.entries(files).flatMap(([name, file]) => [`--tls-${name}`, authority.file(file)]);
  return runHere(['nodes', '--server', `state=${address}`, ...tls], { CALLMESH_TOKEN: token });
}

it('an operator is known by a certificate that the service names, without a token', async () => {
  expect(await nodes('night-shift')).toMatchObject({ code: 0, err: '' });
  const stranger = await nodes('stranger');
  expect(stranger).toMatchObject({
    code: 4,
    err: expect.stringContaining('client certificate of an operator'),
  });
  expect((await nodes('stranger', TOKEN)).code).toBe(0);
  expect((await nodes('night-shift', 'not-the-token-of-the-mesh')).code).toBe(4);
});
