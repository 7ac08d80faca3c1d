import { fail } from '@callmesh/runtime';
import type { Directory } from '../directory.ts';
import type { Tenant, Trunk } from '../model.ts';
import type { OutboundCall, OutboundPlan } from '../numbers/plan.ts';
import { hostOf } from '../sip-uri.ts';
import { type App, bridge, continueOn, legVariables, set, userPart } from './dial-string.ts';
import type { Question } from './question.ts';

/** Whoever called says how long it rings; this only has to be longer, seconds. */
const RING_S = '300';

/**
 * The call a media node sends out. Errors: tenant_forbidden for a tenant that is not
 * there or a trunk that is not its own, tenant_disabled.
 */
export function outboundCall(question: Question, directory: Directory): OutboundCall {
  const { mesh, requestUser, caller, anonymous } = question;
  const tenant = directory.tenant(mesh.tenant);
  if (!tenant) throw fail('tenant_forbidden', 'the call names no tenant there is', { field: 'tenant' });
  if (!tenant.enabled) throw fail('tenant_disabled', `tenant ${tenant.id} is disabled`);
  return {
    tenant,
    number: requestUser,
    caller: { number: caller, anonymous },
    trunk: mesh.trunk === '' ? undefined : ownCarrier(mesh.trunk, tenant, directory),
  };
}

function ownCarrier(id: string, tenant: Tenant, directory: Directory): Trunk {
  const trunk = directory.trunk(id);
  if (trunk?.tenantId !== tenant.id || trunk.kind !== 'carrier')
    throw fail('tenant_forbidden', `tenant ${tenant.id} has no carrier of that name`, { field: 'trunk' });
  return trunk;
}

/** Offers a call to carriers one after another, while what fails is the carrier. */
export function offerToCarriers(plans: readonly OutboundPlan[], progressS: number): App[] {
  return [
    set('sip_copy_custom_headers', 'false'),
    set('hangup_after_bridge', 'true'),
    set('call_timeout', RING_S),
    ...plans.flatMap((plan, index) => [
      continueOn(index < plans.length - 1 ? plan.failoverCauses : []),
      bridge([gatewayLeg(plan, progressS)], 'in order'),
    ]),
  ];
}

function gatewayLeg(plan: OutboundPlan, progressS: number): string {
  const { trunk, called } = plan;
  const variables = legVariables({
    callmesh_trunk: trunk.id,
    leg_progress_timeout: String(progressS),
    // The headers of identity are ours to write.
    sip_cid_type: 'none',
    ...callerVariables(plan),
    ...identityHeader(plan),
  });
  return `${variables}sofia/gateway/${trunk.id}/${userPart(called.number)}`;
}

function callerVariables({ calling, privacy }: OutboundPlan): Record<string, string> {
  if (privacy === '')
    return { origination_caller_id_number: calling.number, origination_caller_id_name: calling.number };
  return {
    origination_caller_id_number: 'anonymous',
    origination_caller_id_name: 'Anonymous',
    sip_invite_domain: 'anonymous.invalid',
    sip_h_Privacy: privacy,
  };
}

function identityHeader({ trunk, asserted, privacy }: OutboundPlan): Record<string, string> {
  if (asserted === '') return {};
  const uri = `<sip:${userPart(asserted)}@${hostOf(trunk.contactUri)}>`;
  if (trunk.identityHeader === 'remote-party-id') {
    const shown = privacy === '' ? 'off' : 'full';
    return { 'sip_h_Remote-Party-ID': `${uri};party=calling;screen=yes;privacy=${shown}` };
  }
  return { 'sip_h_P-Asserted-Identity': uri };
}
