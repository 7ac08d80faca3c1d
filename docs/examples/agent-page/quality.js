/**
 * What the browser measured of a call: round trip to the door in ms, packets lost of the last interval in %,
 * jitter in ms. undefined where nothing is known yet.
 */
export class Quality {
  #received = 0;
  #lost = 0;

  async measure(connection) {
    const stats = [...(await connection.getStats()).values()];
    const inbound = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
    const pair = stats.find(
      ({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded',
    );
    return {
      rtt: inMs(pair?.currentRoundTripTime),
      loss: inbound && this.#loss(inbound),
      jitter: inMs(inbound?.jitter),
    };
  }

  /** Of the packets since the last look; lost is an estimate and may fall. */
  #loss({ packetsReceived, packetsLost }) {
    const [received, lost] = [packetsReceived - this.#received, Math.max(0, packetsLost - this.#lost)];
    this.#received = packetsReceived;
    this.#lost = packetsLost;
    return received + lost > 0 ? (100 * lost) / (received + lost) : undefined;
  }
}

function inMs(seconds) {
  return seconds === undefined ? undefined : seconds * 1000;
}

/** In a word. The limits are those at which people begin to complain. */
export function verdict({ rtt = 0, loss, jitter = 0 }) {
  if (loss === undefined) return 'no audio';
  if (loss > 5 || rtt > 400 || jitter > 50) return 'poor';
  return loss > 1 || rtt > 200 || jitter > 25 ? 'fair' : 'good';
}
