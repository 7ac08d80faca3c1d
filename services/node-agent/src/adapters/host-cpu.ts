import { cpus } from 'node:os';

/** Idle share of all cores since the last look, percent. */
export class HostCpu {
  #idle = 0;
  #total = 0;
  #percent = 100;

  idle(): number {
    const times = cpus().map((cpu) => cpu.times);
    const idle = times.reduce((sum, time) => sum + time.idle, 0);
    const total = times.reduce(
      (sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq,
      0,
    );
    // The kernel counts in hundredths of a second: over less than one it says nothing.
    if (total - this.#total >= 500) {
      this.#percent = (100 * (idle - this.#idle)) / (total - this.#total);
      this.#idle = idle;
      this.#total = total;
    }
    return this.#percent;
  }
}
