// Times as FreeSWITCH prints them.

/** Microseconds since 1970, growing even within one millisecond. */
export function microseconds(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

const two = (n: number) => String(n).padStart(2, '0');

/** "2026-11-23 01:59:24", local time. */
export function localStamp(ms: number): string {
  const d = new Date(ms);
  const date = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  return `${date} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** Time since a start, cut into units. */
export function uptimeParts(us: number): Record<string, number> {
  const seconds = Math.floor(us / 1e6);
  return {
    years: Math.floor(seconds / 31_536_000),
    days: Math.floor(seconds / 86_400) % 365,
    hours: Math.floor(seconds / 3600) % 24,
    minutes: Math.floor(seconds / 60) % 60,
    seconds: seconds % 60,
    milliseconds: Math.floor(us / 1000) % 1000,
    microseconds: us % 1000,
  };
}

/** "0 years, 0 days, 0 hours, 1 minute, 59 seconds, 636 milliseconds, 316 microseconds". */
export function uptimeText(us: number): string {
  const parts = Object.entries(uptimeParts(us));
  return parts.map(([unit, n]) => `${n} ${n === 1 ? unit.slice(0, -1) : unit}`).join(', ');
}
