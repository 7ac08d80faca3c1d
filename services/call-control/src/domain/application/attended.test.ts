import type { CallEvent } from '@callmesh/proto/call';
import { beforeEach, describe, expect, it } from 'vitest';
import { LiveLegs } from '../live-legs.ts';
import { consulted, replacedCallId } from './attended.ts';

const ALICE = 'alice@acme.example';
let legs: LiveLegs;
let tenantId: string;

function told(event: string, legUuid: string, more: Partial<CallEvent> = {}): void {
  const role = legUuid.startsWith('router') ? 'NODE_ROLE_ROUTER' : 'NODE_ROLE_MEDIA';
  const nodeId = legUuid.startsWith('router') ? 'fs-router-1' : 'fs-media-1';
  const common = { tenantId, sessionId: `of-${legUuid}`, nodeEpoch: nodeId, at: new Date(0), callId: '' };
  legs.apply({ ...common, event, legUuid, role, nodeId, outbound: false, agentId: '', ...more } as CallEvent);
}

function connected(a: string, b: string): void {
  told('bridged', a, { otherLegUuid: b });
  told('bridged', b, { otherLegUuid: a });
}

/** Alice talks to a customer, and has called Bob. */
beforeEach(() => {
  legs = new LiveLegs();
  tenantId = 'acme';
  told('created', 'customer');
  told('created', 'alice-1', { agentId: ALICE });
  connected('customer', 'alice-1');
  told('created', 'router-alice', { agentId: ALICE, callId: 'page-2' });
  told('created', 'router-media', { callId: 'mesh-2' });
  connected('router-alice', 'router-media');
  told('created', 'alice-2', { agentId: ALICE, callId: 'mesh-2' });
  told('created', 'bob', { outbound: true });
  connected('alice-2', 'bob');
  // The customer was taken out of the connection before anybody is asked.
  told('unbridged', 'customer', { otherLegUuid: 'alice-1' });
  told('hangup', 'alice-1');
});

describe('a call that is given to whom the agent consulted', () => {
  it('goes to that one', () => {
    expect(consulted(legs.leg('customer')!, 'page-2', legs)?.legUuid).toBe('bob');
  });

  it('goes nowhere when there is no such call, or it is over', () => {
    expect(consulted(legs.leg('customer')!, 'page-9', legs)).toBeUndefined();
    told('hangup', 'bob');
    expect(consulted(legs.leg('customer')!, 'page-2', legs)).toBeUndefined();
  });

  it('cannot take over what another agent, or another tenant, talks about', () => {
    const customer = legs.leg('customer')!;
    expect(consulted({ ...customer, lastAgent: 'carol@acme.example' }, 'page-2', legs)).toBeUndefined();
    expect(consulted({ ...customer, lastAgent: '' }, 'page-2', legs)).toBeUndefined();
    expect(consulted({ ...customer, tenantId: 'bravo' }, 'page-2', legs)).toBeUndefined();
  });
});

describe('what a door says instead of Replaces', () => {
  it('is the Call-ID of the other call', () => {
    expect(replacedCallId(`replaces-${Buffer.from('a1@x').toString('hex')}`)).toBe('a1@x');
  });

  it.each(['1002', 'replaces-', 'replaces-1', 'replaces-zz', 'replaces-AB'])('is nothing in %s', (user) => {
    expect(replacedCallId(user)).toBeUndefined();
  });
});
