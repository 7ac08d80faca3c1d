/** Rings while `on`: two tones, a second long, every four. */
export class Ring {
  #context;
  #timer;

  set(on) {
    if (on === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (!on) return;
    this.#context ??= new AudioContext();
    this.#once();
    this.#timer = setInterval(() => this.#once(), 4000);
  }

  #once() {
    const { currentTime: now, destination } = this.#context;
    const volume = new GainNode(this.#context, { gain: 0.1 });
    volume.connect(destination);
    for (const frequency of [440, 480]) {
      const tone = new OscillatorNode(this.#context, { frequency });
      tone.connect(volume);
      tone.start(now);
      tone.stop(now + 1);
    }
  }
}
