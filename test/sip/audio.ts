// As much audio as a test needs: G.711 A-law, tones, and how strong a tone is in what was heard.

const RATE = 8_000;
/** Samples of one packet: 20 ms. */
const FRAME = 160;

/** One linear sample (16 bit) as A-law (ITU-T G.711). */
function encode(sample: number): number {
  const sign = sample < 0 ? 0 : 0x80;
  let value = Math.min(Math.abs(sample) >> 4, 0x7ff);
  let exponent = 0;
  while (value > 0x1f) {
    value >>= 1;
    exponent += 1;
  }
  const segment = value > 0x0f ? ((exponent + 1) << 4) | (value & 0x0f) : value;
  return (sign | segment) ^ 0x55;
}

function decode(byte: number): number {
  const value = byte ^ 0x55;
  const exponent = (value >> 4) & 7;
  const mantissa = value & 0x0f;
  const level = exponent === 0 ? (mantissa << 4) + 8 : ((mantissa << 4) + 0x108) << (exponent - 1);
  return value & 0x80 ? level : -level;
}

/** A packet's worth of a tone; 0 Hz is silence. */
export function toneFrame(hertz: number, frame: number): Buffer {
  return Buffer.from(
    Array.from({ length: FRAME }, (_, at) =>
      encode(Math.round(8_000 * Math.sin((2 * Math.PI * hertz * (frame * FRAME + at)) / RATE))),
    ),
  );
}

export function samplesOf(payloads: readonly Buffer[]): number[] {
  return payloads.flatMap((payload) => [...payload].map(decode));
}

/** Mean strength of what was heard; silence is below 50, our own tone 5,600. */
export function loudness(samples: readonly number[]): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0);
  return Math.sqrt(power / Math.max(1, samples.length));
}

/** How much of what was heard is this tone, 0 to 1 (Goertzel). */
export function share(samples: readonly number[], hertz: number): number {
  const factor = 2 * Math.cos((2 * Math.PI * hertz) / RATE);
  let [before, last] = [0, 0];
  for (const sample of samples) [before, last] = [last, sample + factor * last - before];
  const power = before * before + last * last - factor * before * last;
  const total = samples.reduce((sum, sample) => sum + sample * sample, 0);
  return total === 0 ? 0 : (2 * power) / (samples.length * total);
}
