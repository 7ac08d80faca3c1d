import { afterEach, describe, expect, it, vi } from 'vitest';
import { accepting, reply, response, ScriptedEsl } from '../../../test/scripted-esl.ts';
import { EslClient, type EslClientListener } from './client.ts';

let server: ScriptedEsl;
let client: EslClient;

afterEach(async () => {
  client.stop();
  await server.stop();
});

function start(listener: Partial<EslClientListener>): EslClient {
  client = new EslClient(
    { host: '127.0.0.1', port: server.port, password: 'secret' },
    { onOpen: async () => {}, onEvent: () => {}, onClose: () => {}, onRefused: () => {}, ...listener },
  );
  client.start();
  return client;
}

describe('the event socket client', () => {
  it('subscribes anew on every connection and never repeats a command', async () => {
    server = await ScriptedEsl.start(accepting());
    const opened = vi.fn();
    start({
      onOpen: async (connection) => {
        await connection.subscribe(['HEARTBEAT']);
        opened();
      },
    });
    await vi.waitFor(() => expect(opened).toHaveBeenCalledTimes(1));
    const unanswered = client.connection.api('originate user/1 &park', 5_000);
    unanswered.catch(() => {});
    await vi.waitFor(() => expect(server.commands).toContain('api originate user/1 &park'));
    server.peer.close();
    await expect(unanswered).rejects.toThrow('not known');
    await vi.waitFor(() => expect(opened).toHaveBeenCalledTimes(2));
    expect(client.reconnects).toBe(1);
    expect(server.commands.filter((command) => command.startsWith('event'))).toHaveLength(2);
    expect(server.commands.filter((command) => command.includes('originate'))).toHaveLength(1);
  });

  it('fails a command at once while there is no connection', async () => {
    server = await ScriptedEsl.start(() => reply('-ERR invalid'));
    const refused = vi.fn();
    start({ onRefused: refused });
    await vi.waitFor(() => expect(refused).toHaveBeenCalled());
    expect(() => client.connection).toThrow(expect.objectContaining({ code: 'unavailable' }));
  });

  it('tries again when the first use of a connection fails', async () => {
    server = await ScriptedEsl.start(accepting(() => response('-ERR not yet')));
    const closed = vi.fn();
    const opened = vi.fn();
    start({
      onOpen: async (connection) => {
        opened();
        if (opened.mock.calls.length === 1) await connection.api('status');
      },
      onClose: closed,
    });
    await vi.waitFor(() => expect(opened).toHaveBeenCalledTimes(2));
    expect(closed).toHaveBeenCalledExactlyOnceWith('status: -ERR not yet');
  });

  it('finds a server that starts later on the same port', async () => {
    const first = await ScriptedEsl.start(accepting());
    const { port } = first;
    await first.stop();
    const opened = vi.fn();
    const listener = {
      onOpen: async () => opened(),
      onEvent: () => {},
      onClose: () => {},
      onRefused: () => {},
    };
    client = new EslClient({ host: '127.0.0.1', port, password: 'secret' }, listener);
    client.start();
    server = await ScriptedEsl.start(accepting(), port);
    await vi.waitFor(() => expect(opened).toHaveBeenCalled(), { timeout: 3_000 });
  });
});
