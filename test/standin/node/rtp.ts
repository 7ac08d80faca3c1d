import { createSocket, type Socket } from 'node:dgram';
import type { AudioOffer } from '../sip/sdp.ts';

export type RtpMode = 'off' | 'echo' | 'send';

const RTP_HEADER = 12;

let nextUnbound = 16384;

/** The media side of one leg. Off, it is only a port number for the SDP; otherwise a UDP socket that counts. */
export class RtpPort {
  received = 0;
  /** Of those, packets with something to hear: silence is one value throughout. */
  loud = 0;
  sent = 0;
  port: number;
  private socket: Socket | undefined;
  private remote: { address: string; port: number } | undefined;
  /** Payload type of telephone-event, both ways. */
  private dtmf: number | undefined;
  private bridged: RtpPort | undefined;
  private ticker: NodeJS.Timeout | undefined;
  private readonly mode: RtpMode;

  private constructor(mode: RtpMode, port: number) {
    this.mode = mode;
    this.port = port;
  }

  /** True when packets are really sent and counted. */
  get bound(): boolean {
    return this.socket !== undefined;
  }

  static off(): RtpPort {
    nextUnbound = nextUnbound >= 32766 ? 16384 : nextUnbound + 2;
    return new RtpPort('off', nextUnbound);
  }

  static async open(mode: RtpMode, host: string): Promise<RtpPort> {
    if (mode === 'off') return RtpPort.off();
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port: 0, address: host, exclusive: true }, resolve);
    });
    const rtp = new RtpPort(mode, socket.address().port);
    rtp.socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data, from) => {
      if (data.length < RTP_HEADER) return;
      rtp.received++;
      if (new Set(data.subarray(RTP_HEADER)).size > 3) rtp.loud++;
      if (rtp.mode !== 'echo') return;
      if (rtp.bridged) rtp.bridged.pass(data, rtp.dtmf);
      else rtp.send(data, from);
    });
    return rtp;
  }

  /** What comes here goes there, and the other way round. */
  bridge(other: RtpPort): void {
    this.bridged = other;
    other.bridged = this;
  }

  part(): void {
    this.bridged = undefined;
  }

  /** The far end said where it listens; in mode "send" packets begin to flow. */
  towards(offer: AudioOffer | undefined): void {
    if (!this.socket || !offer || offer.port === 0) return;
    this.remote = { address: offer.address, port: offer.port };
    this.dtmf = offer.dtmf;
    if (this.mode === 'send') this.ticker ??= setInterval(() => this.tick(), 20);
  }

  close(): void {
    clearInterval(this.ticker);
    this.socket?.close();
    this.socket = undefined;
    this.remote = undefined;
  }

  /** Sends what came at the other leg; digits under the number they have here. */
  private pass(data: Buffer, dtmf: number | undefined): void {
    if (this.dtmf !== undefined && (data.readUInt8(1) & 0x7f) === dtmf)
      data.writeUInt8((data.readUInt8(1) & 0x80) | this.dtmf, 1);
    if (this.remote) this.send(data, this.remote);
  }

  private send(data: Buffer, { port, address }: { port: number; address: string }): void {
    this.sent++;
    this.socket?.send(data, port, address);
  }

  private tick(): void {
    if (!this.remote) return;
    const packet = Buffer.alloc(172, 0xff);
    packet.writeUInt8(0x80, 0);
    packet.writeUInt8(0, 1);
    packet.writeUInt16BE(this.sent & 0xffff, 2);
    packet.writeUInt32BE((this.sent * 160) >>> 0, 4);
    packet.writeUInt32BE(this.port, 8);
    this.send(packet, this.remote);
  }
}
