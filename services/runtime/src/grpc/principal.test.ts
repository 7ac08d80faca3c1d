import { StateServiceClient, type StateServiceServer, StateServiceService } from '@callmesh/proto/state';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { commonConfig, parseConfig } from '../config.ts';
import { App } from '../service.ts';
import { call, grpcClient } from './client.ts';
import { type CallContext, unaryHandler } from './handlers.ts';
import { mayActFor, requireTenant } from './principal.ts';
import { grpcServer } from './server.ts';

const config = parseConfig(
  z.strictObject(commonConfig),
  'instance: t-1\nlog: { level: error }\nauth: { token: 0123456789abcdef, accepted: [the-token-that-comes] }\nstate_dir: /tmp/callmesh-test\n',
);
const CRM = { name: 'crm', token: 'fedcba9876543210', tenants: ['acme'] };

describe('who calls', () => {
  const app = new App('test', config);
  const seen: CallContext[] = [];
  const implementation = {
    getNode: unaryHandler((_, context) => {
      seen.push(context);
      return { evidence: [] };
    }),
  } as unknown as StateServiceServer;
  const server = app.add(grpcServer(app, config.grpc, [[StateServiceService, implementation]], [CRM]));
  beforeAll(() => app.lifecycle.start());
  afterAll(() => app.lifecycle.shutdown());

  async function contextOf(token: string): Promise<CallContext> {
    const caller = { name: 'x', instance: 'x-1', config: { auth: { token }, grpc: {} } };
    const client = grpcClient(caller, StateServiceClient, server.address);
    try {
      await call(client, 'getNode', { nodeId: 'n' });
      return seen.at(-1)!;
    } finally {
      client.close();
    }
  }

  it('is the mesh by its token, and then whoever it says', async () => {
    expect(await contextOf('0123456789abcdef')).toMatchObject({
      principal: { name: 'mesh', tenants: ['*'] },
      actor: 'x/x-1',
    });
  });

  it('is the mesh, too, by a token that is accepted while it is changed', async () => {
    expect(await contextOf('the-token-that-comes')).toMatchObject({ principal: { name: 'mesh' } });
  });

  it('is a client by its own, whatever it says', async () => {
    expect(await contextOf(CRM.token)).toMatchObject({
      principal: { name: 'crm', tenants: ['acme'] },
      actor: 'crm',
    });
  });

  it('is nobody without one', async () => {
    await expect(contextOf('0123456789abcdeX')).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('may act for its tenants and no other', () => {
    expect(mayActFor(CRM, 'acme')).toBe(true);
    expect(mayActFor(CRM, '*')).toBe(false);
    expect(() => requireTenant(CRM, 'globex')).toThrow('crm may not act for tenant globex');
  });
});
