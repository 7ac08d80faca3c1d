/** What a WAV file of 16 bit samples holds: runs of loud and silent tenths of a second. */
export function loudPieces(file: Buffer): string[] {
  const samples = new Int16Array(file.buffer, file.byteOffset + 44, (file.length - 44) >> 1);
  const pieces: string[] = [];
  for (let at = 0; at + 1_600 <= samples.length; at += 1_600) {
    const peak = samples
      .subarray(at, at + 1_600)
      .reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const piece = peak > 500 ? 'loud' : 'silent';
    if (pieces.at(-1) !== piece) pieces.push(piece);
  }
  return pieces;
}
