import type { Fields } from './fields.ts';

/** A time FreeSWITCH tells in microseconds since 1970, as milliseconds; 0 when it never came. */
export function milliseconds(fields: Fields, name: string): number {
  return Math.floor((fields.number(name) ?? 0) / 1000);
}

/** FreeSWITCH's own time of an event. */
export function timeOf(fields: Fields, now: number): number {
  return milliseconds(fields, 'Event-Date-Timestamp') || now;
}
