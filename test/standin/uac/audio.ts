import type { SipAgent } from '../sip/agent.ts';
import { formatSdp } from '../sip/sdp.ts';

let sdpVersion = 1;

/** An offer or answer with one audio stream; nobody listens at its port. */
export function audio(agent: SipAgent, direction: 'sendrecv' | 'sendonly'): string {
  sdpVersion++;
  return formatSdp({
    address: agent.host,
    port: 40000,
    id: 1,
    version: sdpVersion,
    direction,
    dtmf: 101,
    owner: 'uac',
  });
}
