import type { Msg } from '@nats-io/nats-core';

/** What ts-proto generates for a message, as far as events need it. */
export interface JsonMessage<T> {
  fromJSON(json: unknown): T;
  toJSON(message: T): unknown;
}

/** A message as JSON with the proto's own field names: readable by `nats sub`. */
export function encode<T>(type: JsonMessage<T>, message: T): string {
  return JSON.stringify(type.toJSON(message));
}

/** The message in a NATS payload. Throws on what is not JSON: the subscriber's fault handler logs it. */
export function decode<T>(type: JsonMessage<T>, message: Pick<Msg, 'string'>): T {
  return type.fromJSON(JSON.parse(message.string()));
}

/** A token of a NATS subject may not hold dots, spaces or wildcards. */
export function token(value: string): string {
  return value.replace(/[.*>\s]/g, '-') || '_';
}
