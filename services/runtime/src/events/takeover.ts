import { RecoverRequest, RecoverResponse } from '@callmesh/proto/takeover';
import { NoRespondersError, TimeoutError } from '@nats-io/nats-core';
import { fail, toCallmeshError } from '../errors.ts';
import type { Nats } from '../nats.ts';
import { decode, encode, token } from './json.ts';

/** callmesh.takeover.<node-id>, core NATS request and reply: what was not taken is asked again. */
const SUBJECT = 'callmesh.takeover';

/** Asks an heir to go on with legs. Errors: unavailable when its agent is not there, deadline. */
export async function askHeir(nats: Nats, request: RecoverRequest): Promise<RecoverResponse> {
  if (!nats.connected) throw fail('unavailable', 'NATS is away');
  const timeout = (request.expiresAt?.getTime() ?? 0) - Date.now();
  if (timeout <= 0) throw fail('deadline', 'no time was left to ask the heir');
  const heir = request.heir?.nodeId ?? '';
  try {
    const subject = `${SUBJECT}.${token(heir)}`;
    const reply = await nats.connection.request(subject, encode(RecoverRequest, request), { timeout });
    return decode(RecoverResponse, reply);
  } catch (error) {
    const cause = error instanceof TimeoutError ? undefined : (error as Error | undefined)?.cause;
    if (error instanceof NoRespondersError || cause instanceof NoRespondersError)
      throw fail('unavailable', `no agent of node ${heir} is there`);
    throw fail('deadline', `node ${heir} did not say what it recovered`, { cause: error });
  }
}

/** Takes what one node is asked to recover; what `recover` throws is the answer. */
export function serveHeir(
  nats: Nats,
  nodeId: string,
  recover: (request: RecoverRequest) => Promise<RecoverResponse>,
): { close(): void } {
  return nats.subscribe(`${SUBJECT}.${token(nodeId)}`, (message) => {
    void (async () => decode(RecoverRequest, message))()
      .then(recover)
      .catch((error: unknown) => {
        const { code, message: errorMessage } = toCallmeshError(error);
        return RecoverResponse.fromPartial({ errorCode: code, errorMessage });
      })
      .then((response) => message.respond(encode(RecoverResponse, response)));
  });
}
