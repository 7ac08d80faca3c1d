import type { RemoteInfo } from 'node:dgram';
import { replyTo, type SipMessage, sdp } from './message.ts';
import { SipPeer } from './peer.ts';

export interface NodeBehaviour {
  /** Final status to an INVITE; 0 says nothing at all. Default 200. */
  readonly status?: number;
  /** Ring first. */
  readonly ring?: boolean;
  /** Ring and never answer. */
  readonly ringOnly?: boolean;
  readonly body?: boolean;
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
  if (!message.method || message.method === 'ACK') return;
  const contact = `sip:node@${peer.key}`;
  const options = { toTag: nodeTag, contact, headers: behaviour.headers ?? [] };
  const say = (status: number, reason: string, body?: string) =>
    peer.send(replyTo(message, status, reason, body ? { ...options, body } : options), from);
  if (message.method !== 'INVITE') return say(200, 'OK');
  if (behaviour.status === 0) return;
  if (behaviour.ring || behaviour.ringOnly) say(180, 'Ringing');
  if (behaviour.ringOnly) return;
  const status = behaviour.status ?? 200;
  say(status, status < 300 ? 'OK' : 'No', status < 300 && behaviour.body ? sdp(peer.address, 30000) : undefined);
}
