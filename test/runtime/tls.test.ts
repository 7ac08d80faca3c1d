import { Authority } from '@callmesh/local';
import { StateServiceClient, type StateServiceServer, StateServiceService } from '@callmesh/proto/state';
import { App, call, commonConfig, grpcServer, parseConfig, unaryHandler } from '@callmesh/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Connection } from '../../services/cli/src/connection.ts';

const TOKEN = '0123456789abcdef';

describe('a service with a certificate', () => {
  const authority = new Authority();
  const files = (name: string) => ({
    cert: authority.file(`${name}.pem`),
    key: authority.file(`${name}.key`),
    ca: authority.file('ca.pem'),
  });
  let app: App;
  let address: string;

  beforeAll(async () => {
    authority.issue('state', 'DNS:state');
    authority.issue('other', 'DNS:other');
    const text = `auth: { token: ${TOKEN} }\nlog: { level: error }\nstate_dir: /tmp/callmesh-test\n`;
    app = new App('state', parseConfig(z.strictObject(commonConfig), text));
    const implementation = {
      getNode: unaryHandler(() => ({ evidence: [] })),
    } as unknown as StateServiceServer;
    const config = { listen: '127.0.0.1:0', tls: files('state') };
    const server = app.add(grpcServer(app, config, [[StateServiceService, implementation]]));
    await app.lifecycle.start();
    address = server.address;
  });
  afterAll(async () => {
    await app.lifecycle.shutdown();
    authority.remove();
  });

  /** What the command line is told when it looks for `service` where this one is. */
  async function ask(service: string, tls = files('state')): Promise<unknown> {
    const server = [`${service}=${address}`];
    const connection = new Connection({ etcd: [], server, token: TOKEN, tls, timeoutMs: 2_000 });
    try {
      return await call(await connection.client(StateServiceClient, service), 'getNode', { nodeId: 'n' });
    } finally {
      connection.close();
    }
  }

  it('is known by its name, wherever its address is', async () => {
    await expect(ask('state')).resolves.toMatchObject({ evidence: [] });
  });

  it('is not taken for another', async () => {
    await expect(ask('policy')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('takes any client of the same authority', async () => {
    await expect(ask('state', files('other'))).resolves.toMatchObject({ evidence: [] });
  });
});
