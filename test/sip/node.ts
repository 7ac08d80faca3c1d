import type { RemoteInfo } from 'node:dgram';
import { replyTo, type SipMessage } from './message.ts';
import { SipPeer } from './peer.ts';

export interface NodeBehaviour {
  /** Final status to an INVITE; 0 says nothing at all. Default 200. */
  readonly status?: number;
  /** Ring and never answer. */
  readonly ringOnly?: boolean;
  /** Put on every reply. */
  readonly headers?: ReadonlyArray<readonly [string, string]>;
}

/** The tag every answer of a fake node carries. */
export const nodeTag = 'node-tag';

/** A FreeSWITCH node as the edge sees it: takes INVITEs as told, says 200 to the rest of a dialog. */
export async function fakeNode(behaviour: NodeBehaviour = {}, address = '127.0.0.1'): Promise<SipPeer> {
  const peer = await SipPeer.open(address);
  peer.handler = (message, from) => answer(peer, message, from, behaviour);
  return peer;
}

function answer(peer: SipPeer, message: SipMessage, from: RemoteInfo, behaviour: NodeBehaviour): void {
  const { status = 200, headers = [], ringOnly = false } = behaviour;
  if (!message.method || message.method === 'ACK') return;
  const options = { toTag: nodeTag, contact: `sip:node@${peer.key}`, headers };
  const say = (code: number, reason: string) => peer.send(replyTo(message, code, reason, options), from);
  if (message.method !== 'INVITE') say(200, 'OK');
  else if (ringOnly) say(180, 'Ringing');
  else if (status > 0) say(status, status < 300 ? 'OK' : 'No');
}
