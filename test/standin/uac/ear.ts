import { RtpPort } from '../node/rtp.ts';
import { formatSdp, parseSdp } from '../sip/sdp.ts';

/** The audio of one call that is made: sends silence from the answer on, counts and listens. */
export class Ear {
  /** The offer to send with the INVITE. */
  readonly offer: string;
  private readonly rtp: RtpPort;

  private constructor(rtp: RtpPort, host: string) {
    this.rtp = rtp;
    this.offer = formatSdp({
      address: host,
      port: rtp.port,
      id: rtp.port,
      version: 1,
      dtmf: 101,
      owner: 'uac',
    });
  }

  static async open(host: string): Promise<Ear> {
    return new Ear(await RtpPort.open('send', host), host);
  }

  /** Packets that came. */
  get received(): number {
    return this.rtp.received;
  }

  /** Packets that came with something to hear. */
  get loud(): number {
    return this.rtp.loud;
  }

  get sent(): number {
    return this.rtp.sent;
  }

  /** The answer came: packets begin to flow to where it says. */
  answered(sdp: string): void {
    this.rtp.towards(parseSdp(sdp));
  }

  close(): void {
    this.rtp.close();
  }
}
