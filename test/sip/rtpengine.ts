import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { freePort } from './kamailio.ts';

/** A real rtpengine in user space, on loopback. */
export class Rtpengine {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(): Promise<Rtpengine> {
    const port = await freePort();
    const args = [
      ...['--config-file=none', '--table=-1', '--foreground', '--log-stderr', '--log-level=4', '--delete-delay=0'],
      ...['--interface=127.0.0.1', `--listen-ng=127.0.0.1:${port}`, '--port-min=36000', '--port-max=37000'],
    ];
    const child = spawn('rtpengine', args, { stdio: 'ignore' });
    const engine = new Rtpengine(child, port);
    await engine.#ready();
    return engine;
  }

  /** What Kamailio's RTPENGINE_SOCK takes. */
  get socket(): string {
    return `"udp:127.0.0.1:${this.port}"`;
  }

  /** Calls it relays at this moment. */
  async calls(): Promise<number> {
    const answer = await this.#ask('d7:command4:list5:limiti99ee');
    return answer?.includes('5:callsle') ? 0 : (answer?.match(/@test/g)?.length ?? 0);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGTERM');
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
    await once(this.#process, 'exit');
    clearTimeout(kill);
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (Date.now() < deadline) {
      if (this.#process.exitCode !== null) throw new Error('rtpengine did not start');
      if ((await this.#ask('d7:command4:pinge'))?.includes('pong')) return;
    }
    throw new Error('rtpengine was not ready in time');
  }

  /** One request of the ng protocol: a cookie, then a bencoded dictionary. */
  async #ask(request: string): Promise<string | undefined> {
    const socket = createSocket('udp4');
    try {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(300) });
      socket.send(`${randomBytes(4).toString('hex')} ${request}`, this.port, '127.0.0.1');
      const [data] = (await answer) as [Buffer];
      return data.toString('latin1');
    } catch {
      return undefined;
    } finally {
      socket.close();
    }
  }
}

/** One end of an audio stream. */
export class RtpEnd {
  readonly port: number;
  readonly received: Array<{ readonly payload: string; readonly fromPort: number }> = [];
  readonly #socket: Socket;
  #sequence = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.port = (socket.address() as AddressInfo).port;
    socket.on('message', (data, from) => {
      this.received.push({ payload: data.toString('latin1', 12), fromPort: from.port });
    });
  }

  static async open(address: string): Promise<RtpEnd> {
    const socket = createSocket('udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new RtpEnd(socket);
  }

  /** A packet of payload type 8 (PCMA) with this text in place of audio. */
  send(text: string, port: number, address = '127.0.0.1'): void {
    const packet = Buffer.alloc(12 + text.length);
    packet.writeUInt8(0x80, 0);
    packet.writeUInt8(8, 1);
    packet.writeUInt16BE(this.#sequence++, 2);
    packet.writeUInt32BE(this.#sequence * 160, 4);
    packet.writeUInt32BE(this.port, 8);
    packet.write(text, 12, 'latin1');
    this.#socket.send(packet, port, address);
  }

  close(): void {
    this.#socket.close();
  }
}
