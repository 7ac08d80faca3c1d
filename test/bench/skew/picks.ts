import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, Process } from '@callmesh/local';
import { ALGORITHM_NUMBERS, type Algorithm } from './dispatcher.ts';

const ANSWER_MS = 2_000;

/** A real Kamailio that answers an INVITE with the node its dispatcher picks, and forgets a call at its BYE. */
export class Picks {
  readonly #process: Process;
  readonly #socket: Socket;
  readonly #port: number;
  readonly #dir: string;
  readonly #answers = new Map<string, (reason: string) => void>();

  private constructor(process: Process, socket: Socket, port: number, dir: string) {
    this.#process = process;
    this.#socket = socket;
    this.#port = port;
    this.#dir = dir;
    socket.on('message', (packet) => {
      const text = packet.toString();
      const key = `${/^CSeq: \d+ (\w+)/im.exec(text)?.[1]} ${/^Call-ID: (\S+)/im.exec(text)?.[1]}`;
      this.#answers.get(key)?.(/^SIP\/2\.0 \d+ (.*)$/m.exec(text)?.[1]?.trim() ?? '');
    });
  }

  static async start(algorithm: Algorithm, maxLoads: readonly number[]): Promise<Picks> {
    const dir = mkdtempSync(join(tmpdir(), 'dispatcher-'));
    const port = await freePort();
    // The module keeps what it reads last first.
    const list = maxLoads.map((max, at) => `1 sip:127.0.0.1:${6_000 + at} 0 0 duid=n${at};maxload=${max}`);
    writeFileSync(join(dir, 'list'), `${list.reverse().join('\n')}\n`);
    writeFileSync(join(dir, 'kamailio.cfg'), config(dir, port, ALGORITHM_NUMBERS[algorithm]));
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const picks = new Picks(
      new Process({
        name: 'dispatcher',
        command: 'kamailio',
        args: ['-DD', '-E', '-f', join(dir, 'kamailio.cfg'), '-Y', dir, '-m', '32', '-M', '4'],
        log: join(dir, 'kamailio.log'),
        ready: () => eventually(() => picks.#answers200(), 'Kamailio answers').then(() => {}),
      }),
      ...([socket, port, dir] as const),
    );
    await picks.#process.start().catch(async (error) => {
      await picks.stop();
      throw error;
    });
    return picks;
  }

  /** The node an INVITE goes to; -1 when none. */
  async select(callId: string): Promise<number> {
    const reason = await this.#ask('INVITE', callId);
    return reason.startsWith('n') ? Number(reason.slice(1)) : -1;
  }

  async over(callId: string): Promise<void> {
    await this.#ask('BYE', callId);
  }

  async stop(): Promise<void> {
    this.#socket.close();
    await this.#process.stop();
    rmSync(this.#dir, { recursive: true });
  }

  async #answers200(): Promise<boolean> {
    return (await this.#ask('OPTIONS', 'ready', 100)) === 'OK';
  }

  async #ask(method: string, callId: string, ms = ANSWER_MS): Promise<string> {
    const key = `${method} ${callId}`;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(new Error(`no answer to ${key}`)), ms);
    this.#answers.set(key, resolve);
    this.#socket.send(request(method, callId, this.#socket.address().port), this.#port, '127.0.0.1');
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#answers.delete(key);
    }
  }
}

function request(method: string, callId: string, port: number): string {
  return [
    `${method} sip:1@127.0.0.1 SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${method}${callId}`,
    'From: <sip:a@127.0.0.1>;tag=a',
    `To: <sip:1@127.0.0.1>${method === 'BYE' ? ';tag=b' : ''}`,
    `Call-ID: ${callId}`,
    `CSeq: 1 ${method}`,
    'Max-Forwards: 9',
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n');
}

function config(dir: string, port: number, algorithm: number): string {
  return `#!KAMAILIO
debug=0
log_stderror=yes
children=1
disable_tcp=yes
listen=udp:127.0.0.1:${port}
${['sl', 'tm', 'rr', 'pv', 'dispatcher'].map((module) => `loadmodule "${module}.so"`).join('\n')}
modparam("dispatcher", "list_file", "${join(dir, 'list')}")
modparam("dispatcher", "ds_hash_size", 9)
request_route {
  if (method == "OPTIONS") { sl_send_reply("200", "OK"); exit; }
  if (method == "BYE") { ds_load_update(); sl_send_reply("200", "Over"); exit; }
  if (!ds_select_dst("1", "${algorithm}")) { sl_send_reply("503", "None"); exit; }
  $var(node) = $(du{s.select,2,:}{s.int}) - 6000;
  sl_send_reply("302", "n$var(node)");
}
`;
}
