import type { CallEvent } from '@callmesh/proto/call';
import { NodeRole } from '@callmesh/proto/node';
import type {
  BindRequest,
  GetRequest,
  MoveRequest,
  NodeLife,
  PutRegistrationRequest,
  Registration,
} from '@callmesh/proto/session';
import { FunctionMessage } from '@callmesh/proto/tenant';
import { fail } from '@callmesh/runtime';
import { type Life, nameLife, type Session, sameLife } from './session.ts';

const SLUG = /^[a-z0-9-]{1,63}$/;
const SESSION_ID = /^[0-9a-f]{16}$/;
/** Most bytes of a Call-ID, and of an affinity key. */
const MAX_KEY_BYTES = 256;
const MAX_NAME_BYTES = 128;
const MAX_TEXT_BYTES = 512;
const MAX_DEAD = 1000;
const MAX_PATH = 16;

function refuse(field: string, expected: string): never {
  throw fail('invalid_argument', `${field}: expected ${expected}`, { field });
}

function slug(field: string, value: string): string {
  return SLUG.test(value) ? value : refuse(field, '1-63 of a-z, 0-9 and "-"');
}

function slugOrEmpty(field: string, value: string): string {
  return value === '' ? '' : slug(field, value);
}

function bytes(field: string, value: string, least: number, most: number): string {
  const length = Buffer.byteLength(value);
  return length >= least && length <= most ? value : refuse(field, `${least}-${most} bytes`);
}

function role(field: string, value: NodeRole): NodeRole {
  const known = value !== NodeRole.NODE_ROLE_UNSPECIFIED && value !== NodeRole.UNRECOGNIZED;
  return known && Object.hasOwn(NodeRole, value) ? value : refuse(field, 'a node role');
}

function functionOf(field: string, value: FunctionMessage): FunctionMessage {
  const known =
    value !== FunctionMessage.FUNCTION_UNSPECIFIED &&
    value !== FunctionMessage.UNRECOGNIZED &&
    Object.hasOwn(FunctionMessage, value);
  return known ? value : refuse(field, 'a function');
}

function life(field: string, value: NodeLife | undefined): Life {
  const { nodeId, epoch } = value ?? { nodeId: '', epoch: '' };
  return {
    nodeId: slug(`${field}.node_id`, nodeId),
    nodeEpoch: bytes(`${field}.epoch`, epoch, 1, MAX_TEXT_BYTES),
  };
}

export function checkSessionId(field: string, value: string): string {
  return SESSION_ID.test(value) ? value : refuse(field, '16 lower-case hex digits');
}

/** A bind's proposal and the lives its caller knows to be over. Errors: invalid_argument naming the field. */
export function checkBind(request: BindRequest, now: number): { proposal: Session; dead: Life[] } {
  const { binding } = request;
  if (!binding) refuse('binding', 'a binding');
  if (request.replaceDead.length > MAX_DEAD) refuse('replace_dead', `at most ${MAX_DEAD} lives`);
  const dead = request.replaceDead.map((one, index) => life(`replace_dead[${index}]`, one));
  const proposal: Session = {
    sessionId: checkSessionId('binding.session_id', binding.sessionId),
    tenantId: slug('binding.tenant_id', binding.tenantId),
    callId: bytes('binding.call_id', binding.callId, 1, MAX_KEY_BYTES),
    affinityKey: bytes('binding.affinity_key', binding.affinityKey, 0, MAX_KEY_BYTES),
    nodeId: slug('binding.node_id', binding.nodeId),
    nodeEpoch: bytes('binding.node_epoch', binding.nodeEpoch, 1, MAX_TEXT_BYTES),
    role: role('binding.role', binding.role),
    function: functionOf('binding.function', binding.function),
    groupId: bytes('binding.group_id', binding.groupId, 0, MAX_NAME_BYTES),
    edgeId: bytes('binding.edge_id', binding.edgeId, 0, MAX_NAME_BYTES),
    trunkId: bytes('binding.trunk_id', binding.trunkId, 0, MAX_NAME_BYTES),
    confirmed: false,
    createdAt: now,
    legs: [],
    ended: [],
  };
  if (dead.some((one) => sameLife(one, proposal)))
    refuse('binding.node_epoch', `another life than ${nameLife(proposal)}, which replace_dead names`);
  return { proposal, dead };
}

export function checkGet(request: GetRequest): GetRequest {
  const { key } = request;
  if (key?.$case === 'sessionId') {
    checkSessionId('session_id', key.value);
    slugOrEmpty('tenant_id', request.tenantId);
  } else if (key) {
    slug('tenant_id', request.tenantId);
    role('role', request.role);
    bytes(key.$case === 'callId' ? 'call_id' : 'affinity_key', key.value, 1, MAX_KEY_BYTES);
  }
  return request;
}

export function checkMove(request: MoveRequest): { sessionId: string; from: Life; to: Life } {
  const from = life('from', request.from);
  const to = life('to', request.to);
  if (sameLife(from, to)) refuse('to', 'another life than from');
  return { sessionId: checkSessionId('session_id', request.sessionId), from, to };
}

/** Whether an event can be one of a session of ours; headers may carry anything, and bad ones would come again for ever. */
export function isSessionEvent(event: CallEvent): boolean {
  const short = (value: string, most: number) => Buffer.byteLength(value) <= most;
  return (
    SESSION_ID.test(event.sessionId) &&
    (event.tenantId === '' || SLUG.test(event.tenantId)) &&
    SLUG.test(event.nodeId) &&
    event.nodeEpoch !== '' &&
    short(event.nodeEpoch, MAX_TEXT_BYTES) &&
    event.legUuid !== '' &&
    short(event.legUuid, MAX_KEY_BYTES) &&
    short(event.callId, MAX_KEY_BYTES) &&
    event.role !== NodeRole.NODE_ROLE_UNSPECIFIED &&
    Object.hasOwn(NodeRole, event.role)
  );
}

export function checkAor(field: string, aor: string): string {
  bytes(field, aor, 3, MAX_TEXT_BYTES);
  return /^[^@\s]+@[^@\s]+$/.test(aor) ? aor : refuse(field, 'user@domain');
}

export function checkRegistration({ registration }: PutRegistrationRequest): Registration {
  if (!registration) refuse('registration', 'a registration');
  checkAor('registration.aor', registration.aor);
  slug('registration.tenant_id', registration.tenantId);
  bytes('registration.contact', registration.contact, 1, MAX_TEXT_BYTES);
  bytes('registration.edge_id', registration.edgeId, 0, MAX_NAME_BYTES);
  bytes('registration.router_id', registration.routerId, 0, MAX_NAME_BYTES);
  if (registration.path.length > MAX_PATH) refuse('registration.path', `at most ${MAX_PATH} addresses`);
  for (const [index, hop] of registration.path.entries())
    bytes(`registration.path[${index}]`, hop, 1, MAX_TEXT_BYTES);
  bytes('registration.user_agent', registration.userAgent, 0, MAX_TEXT_BYTES);
  bytes('registration.instance_id', registration.instanceId, 0, MAX_TEXT_BYTES);
  bytes('registration.call_id', registration.callId, 1, MAX_KEY_BYTES);
  if (!registration.expiresAt || Number.isNaN(registration.expiresAt.getTime()))
    refuse('registration.expires_at', 'a time');
  return registration;
}
