import { NodeRole } from '@callmesh/proto/node';
import { type Binding, BindingState } from '@callmesh/proto/session';
import { FunctionMessage } from '@callmesh/proto/tenant';
import { sessionId } from './replicas.ts';

/** A proposal as policy sends it. */
export function binding(callId: string, more: Partial<Binding> = {}): Binding {
  return {
    sessionId: sessionId(),
    tenantId: 'acme',
    callId,
    affinityKey: '',
    nodeId: 'fs-a',
    nodeEpoch: 'a1',
    role: NodeRole.NODE_ROLE_MEDIA,
    function: FunctionMessage.FUNCTION_GENERAL,
    groupId: 'media-a',
    edgeId: 'kama-pstn-1',
    state: BindingState.BINDING_STATE_UNSPECIFIED,
    createdAt: undefined,
    revision: 0,
    trunkId: 'acme-pbx',
    ...more,
  };
}
