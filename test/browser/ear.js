// Runs in the page: what an <audio> plays now, as strength and strongest frequency.
globalThis.heard = async (audio) => {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
  context.createMediaStreamSource(audio.srcObject).connect(analyser);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const wave = new Float32Array(analyser.fftSize);
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatTimeDomainData(wave);
  analyser.getFloatFrequencyData(bins);
  const peak = bins.indexOf(Math.max(...bins));
  const level = Math.sqrt(wave.reduce((sum, value) => sum + value * value, 0) / wave.length);
  const hertz = (peak * context.sampleRate) / analyser.fftSize;
  await context.close();
  return { level, hertz };
};
