/** Longest text that is kept, characters; numbers and names are far shorter. */
const LONGEST = 255;

/** Text as a database takes it: no NUL, no half characters, not endless. */
export function text(value = ''): string {
  return value.replaceAll('\0', '').slice(0, LONGEST).toWellFormed();
}

/** A time between 1970 and 9999; null for none, and for what is none. */
export function time(value: Date | undefined): Date | null {
  const ms = value?.getTime() ?? Number.NaN;
  return ms > 0 && ms < 253_402_300_800_000 ? new Date(Math.floor(ms)) : null;
}

/** A number between 0 and `most`. */
export function amount(value: number, most: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(value, 0), most) : 0;
}

/** A whole number between 0 and `most`. */
export function count(value: number | undefined, most = Number.MAX_SAFE_INTEGER): number {
  return Math.floor(amount(value ?? 0, most));
}
