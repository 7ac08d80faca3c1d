import type { Fields } from './fields.ts';

/** The last moment a Date can be, milliseconds. */
const LAST = 8.64e15;

/** A time FreeSWITCH tells in microseconds since 1970, as milliseconds; 0 when it never came. */
export function milliseconds(fields: Fields, name: string): number {
  const at = Math.floor((fields.number(name) ?? 0) / 1000);
  return at > 0 && at <= LAST ? at : 0;
}

/** FreeSWITCH's own time of an event. */
export function timeOf(fields: Fields, now: number): number {
  return milliseconds(fields, 'Event-Date-Timestamp') || now;
}
