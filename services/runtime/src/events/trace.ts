import { headers, type MsgHdrs } from '@nats-io/nats-core';
import type { Context } from '@opentelemetry/api';
import { extract, inject } from '../tracing.ts';

/** Headers of a message for the call and the trace it is sent in; none where there is neither. */
export function withTrace(): { headers?: MsgHdrs } {
  const made = headers();
  inject(made, { set: (carrier, key, value) => carrier.set(key, value) });
  return made.keys().length > 0 ? { headers: made } : {};
}

/** The context a message was sent in. */
export function traceOf(message: { readonly headers?: MsgHdrs }): Context {
  return extract(message.headers, {
    get: (carrier, key) => carrier?.get(key) || undefined,
    keys: (carrier) => carrier?.keys() ?? [],
  });
}
