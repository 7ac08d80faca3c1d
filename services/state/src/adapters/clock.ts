/** Unix milliseconds that never jump: a clock set forward by NTP must not make every node look silent. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
