import { answerSdp, commonCodecs, formatSdp, isHold, parseSdp } from '../sip/sdp.ts';
import type { Channel } from './channel.ts';

/** The SDP of one leg: what it offers and answers, always its own address (media is anchored). */
export class LegMedia {
  private readonly channel: Channel;
  private readonly host: string;
  private readonly id = Math.floor(Date.now() / 1000);
  private version = this.id;

  constructor(channel: Channel, host: string) {
    this.channel = channel;
    this.host = host;
    channel.set('local_media_ip', host);
    channel.set('local_media_port', String(channel.rtp.port));
    channel.set('advertised_media_ip', host);
  }

  /** An offer of our own; for the leg that bridges, whose codecs these then are: nothing is transcoded. */
  offer(direction: 'sendrecv' | 'sendonly' = 'sendrecv', bridging?: Channel): string {
    const theirs = parseSdp(bridging?.variables.get('switch_r_sdp') ?? '');
    const payloads = theirs && commonCodecs(theirs);
    return this.remember(
      formatSdp({ ...this.next(), direction, dtmf: 101, ...(payloads?.length && { payloads }) }),
    );
  }

  /** The far end's SDP; fires hold and unhold by its direction. */
  remote(body: string): void {
    const offer = parseSdp(body);
    if (!offer) return;
    this.channel.set('switch_r_sdp', body);
    this.channel.set('remote_media_ip', offer.address);
    this.channel.set('remote_media_port', String(offer.port));
    this.channel.rtp.towards(offer);
    if (this.channel.answered) this.channel.hold(isHold(offer));
  }

  /** Answers an offer; without a body offers itself. undefined when there is no common codec. */
  answer(body: string): string | undefined {
    if (body.trim() === '') return this.offer();
    const offer = parseSdp(body);
    const answer = offer && answerSdp(offer, this.next());
    if (answer === undefined) return undefined;
    this.remote(body);
    return this.remember(answer);
  }

  private next() {
    this.version++;
    return { address: this.host, port: this.channel.rtp.port, id: this.id, version: this.version };
  }

  private remember(sdp: string): string {
    this.channel.set('rtp_local_sdp_str', sdp);
    return sdp;
  }
}
