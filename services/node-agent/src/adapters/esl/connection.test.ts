import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  accepting,
  plainEvent,
  reply,
  response,
  type Script,
  ScriptedEsl,
} from '../../../test/scripted-esl.ts';
import { EslConnection } from './connection.ts';
import type { EslEvent } from './event.ts';

let server: ScriptedEsl | undefined;
let connection: EslConnection | undefined;

afterEach(async () => {
  connection?.close();
  await server?.stop();
  connection = undefined;
  server = undefined;
});

async function open(script: Script, password = 'secret', timeoutMs?: number) {
  server = await ScriptedEsl.start(script);
  const events: EslEvent[] = [];
  const closed: string[] = [];
  connection = await EslConnection.open(
    { host: '127.0.0.1', port: server.port, password },
    { onEvent: (event) => events.push(event), onClose: (reason) => closed.push(reason) },
    timeoutMs,
  );
  return { connection, events, closed, server };
}

describe('an event socket connection', () => {
  it('is refused with a wrong password', async () => {
    await expect(open(accepting(), 'wrong')).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('gives up on a server that never greets, or never answers the password', async () => {
    await expect(open(() => undefined, 'secret', 80)).rejects.toMatchObject({ code: 'deadline' });
  });

  it('says why when the access list refuses', async () => {
    server = await ScriptedEsl.start(() => undefined);
    const opening = EslConnection.open(
      { host: '127.0.0.1', port: server.port, password: 'secret' },
      { onEvent: () => {}, onClose: () => {} },
    );
    await vi.waitFor(() => expect(server?.peers).toHaveLength(1));
    server.peer.send('Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n');
    await expect(opening).rejects.toThrow(/access list|password refused/);
  });

  it('gives each command its own answer, in order', async () => {
    const { connection } = await open(accepting((command) => response(`+OK ${command.slice(4)}\n`)));
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => connection.api(name)));
    expect(answers).toEqual(['+OK a', '+OK b', '+OK c']);
  });

  it('does not take a late answer for the next command’s', async () => {
    const { connection, server } = await open(
      accepting((command) => (command === 'api slow' ? undefined : response('fast'))),
    );
    await expect(connection.api('slow', 40)).rejects.toMatchObject({ code: 'deadline' });
    server.peer.send(response('slow'));
    await expect(connection.api('next')).resolves.toBe('fast');
  });

  it.each(['-ERR No such channel!\n', '-USAGE: uuid_kill <uuid>\n'])(
    'turns %j into an error',
    async (text) => {
      const { connection } = await open(accepting(() => response(text)));
      await expect(connection.api('uuid_kill x')).rejects.toMatchObject({ code: 'precondition_failed' });
    },
  );

  it('takes an api answered by command/reply', async () => {
    const { connection } = await open(accepting(() => reply('-ERR command not found')));
    await expect(connection.api('nonsense')).rejects.toThrow('command not found');
  });

  it('refuses a command with a line break, and sends nothing', async () => {
    const { connection, server } = await open(accepting(() => response('+OK')));
    await expect(connection.api('status\n\nexit')).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(connection.bgapi('status\r\nx: y', 100)).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(server.commands).toEqual(['auth secret']);
  });

  it('matches background jobs by id, whatever order they end in', async () => {
    const ids: string[] = [];
    const { connection, server } = await open(
      accepting((command) => {
        ids.push(command.split('Job-UUID: ')[1]!);
        return reply(`+OK Job-UUID: ${ids.at(-1)}`);
      }),
    );
    const jobs = Promise.all([connection.bgapi('one', 1000), connection.bgapi('two', 1000)]);
    await vi.waitFor(() => expect(ids).toHaveLength(2));
    const done = (id: string, body: string) =>
      plainEvent({ 'Event-Name': 'BACKGROUND_JOB', 'Job-UUID': id }, body);
    server.peer.send(done('someone-elses', 'x') + done(ids[1]!, 'second') + done(ids[0]!, 'first'));
    expect((await jobs).map((event) => event.body)).toEqual(['first', 'second']);
  });

  it('ends a background job at its deadline', async () => {
    const { connection } = await open(accepting(() => reply('+OK Job-UUID: x')));
    await expect(connection.bgapi('originate', 50)).rejects.toMatchObject({ code: 'deadline' });
  });

  it('fails what waits when the connection closes, with the notice as reason', async () => {
    const { connection, server, closed } = await open(accepting());
    const waiting = [connection.api('status'), connection.bgapi('originate', 5_000)];
    await vi.waitFor(() => expect(server.commands).toHaveLength(3));
    server.peer.send(
      'Content-Type: text/disconnect-notice\nContent-Length: 31\n\nThe system is being shut down.\n',
    );
    server.peer.close();
    for (const result of await Promise.allSettled(waiting)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'outcome_unknown' } });
    }
    expect(closed).toEqual(['The system is being shut down.']);
    await expect(connection.api('status')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('closes on a stream it cannot trust', async () => {
    const { server, closed } = await open(accepting());
    server.peer.send('Content-Type: text/event-plain\nContent-Length: -5\n\n');
    await vi.waitFor(() => expect(closed).toHaveLength(1));
    expect(closed[0]).toContain('Content-Length');
  });

  it('hands over events and survives a flood of them', async () => {
    const { server, events, connection } = await open(accepting(() => response('+OK')));
    const one = plainEvent({ 'Event-Name': 'CHANNEL_CREATE', 'Unique-ID': 'u', variable_x: 'a b' });
    server.peer.send(one.repeat(5_000));
    await vi.waitFor(() => expect(events).toHaveLength(5_000));
    expect(events[4_999]?.variable('x')).toBe('a b');
    await expect(connection.api('still there')).resolves.toBe('+OK');
  });
});
