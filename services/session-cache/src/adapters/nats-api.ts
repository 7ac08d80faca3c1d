import type { NatsConnection } from '@nats-io/nats-core';

/** A refusal by JetStream, not a failure to reach it. */
export class JetStreamRefusal extends Error {
  readonly code: number;
  readonly errCode: number;

  constructor(error: { code: number; err_code?: number; description?: string }) {
    super(error.description ?? `JetStream error ${error.code}`);
    this.code = error.code;
    this.errCode = error.err_code ?? 0;
  }
}

export interface StreamInfo {
  /** When the stream was made: another time, another stream. */
  readonly created: string;
  readonly state: { readonly messages: number; readonly first_seq: number; readonly last_seq: number };
}

export interface ConsumerInfo {
  readonly num_pending: number;
  readonly delivered: { readonly consumer_seq: number };
}

const API_TIMEOUT_MS = 2_000;

/** One JetStream API request. Errors: JetStreamRefusal, or the client's when nobody answered. */
export async function jsApi<T>(
  nc: NatsConnection,
  subject: string,
  body: unknown = {},
  timeout = API_TIMEOUT_MS,
): Promise<T> {
  const answer = await nc.request(`$JS.API.${subject}`, JSON.stringify(body), { timeout });
  return parseAnswer<T>(answer.string());
}

export function parseAnswer<T>(text: string): T {
  const answer = JSON.parse(text) as T & { error?: { code: number } };
  if (answer.error) throw new JetStreamRefusal(answer.error);
  return answer;
}
