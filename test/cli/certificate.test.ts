import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { Authority, ROOT } from '@callmesh/local';
import { StateServiceService } from '@callmesh/proto/state';
import { type App, grpcServer, unaryHandler } from '@callmesh/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TOKEN, testApp } from '../support/app.ts';

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
function nodes(certificate: string, token = ''): Promise<{ code: number; err: string }> {
  const files = { ca: 'ca.pem', cert: `${certificate}.pem`, key: `${certificate}.key` };
  const tls = Object.entries(files).flatMap(([name, file]) => [`--tls-${name}`, authority.file(file)]);
  const args = [join(ROOT, 'services/cli/bin/callmesh.mjs'), 'nodes', '--server', `state=${address}`, ...tls];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: { ...process.env, CALLMESH_TOKEN: token } }, (error, _, err) =>
      resolve({ code: error ? Number(error.code) : 0, err }),
    );
  });
}

it('an operator is known by a certificate that the service names, without a token', async () => {
  const [named, stranger, withToken, wrong] = await Promise.all([
    nodes('night-shift'),
    nodes('stranger'),
    nodes('stranger', TOKEN),
    nodes('night-shift', 'not-the-token-of-the-mesh'),
  ]);
  expect(named.code).toBe(0);
  expect(stranger).toMatchObject({
    code: 4,
    err: expect.stringContaining('client certificate of an operator'),
  });
  expect(withToken.code).toBe(0);
  expect(wrong.code).toBe(4);
});
