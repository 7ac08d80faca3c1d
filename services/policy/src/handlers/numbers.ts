import { type ExplainNumberRequest, type ExplainNumberResponse, TrunkPlan } from '@callmesh/proto/policy';
import { Direction } from '@callmesh/proto/tenant';
import { fail, toCallmeshError } from '@callmesh/runtime';
import { isOutside, lookUp } from '../domain/dialled.ts';
import type { Tenant, Trunk } from '../domain/model.ts';
import { requireDestination } from '../domain/numbers/destinations.ts';
import { fromTrunk } from '../domain/numbers/inbound.ts';
import {
  type OutboundPlan,
  planFor,
  planOutbound,
  type Refused,
  requirePlan,
} from '../domain/numbers/plan.ts';
import type { Mesh } from '../mesh.ts';

/** The dry run of number rules and carrier choice: what each trunk would make of a call. Nothing is counted. */
export function numberExplainer(mesh: Mesh) {
  return (request: ExplainNumberRequest): ExplainNumberResponse => {
    const tenant = mesh.directory.tenant(request.tenantId);
    if (!tenant) throw fail('not_found', `there is no tenant ${request.tenantId}`, { field: 'tenant_id' });
    const trunk = request.trunkId === '' ? undefined : trunkOf(tenant, request.trunkId, mesh);
    switch (request.direction) {
      case Direction.DIRECTION_OUTBOUND:
        return outbound(tenant, trunk, request, mesh);
      case Direction.DIRECTION_INBOUND:
        if (!trunk) throw fail('invalid_argument', 'expected the trunk it comes by', { field: 'trunk_id' });
        return inbound(tenant, trunk, request, mesh);
      default:
        throw fail('invalid_argument', 'expected inbound or outbound', { field: 'direction' });
    }
  };
}

function trunkOf({ id }: Tenant, trunkId: string, { directory }: Mesh): Trunk {
  const trunk = directory.trunk(trunkId);
  if (trunk?.tenantId !== id)
    throw fail('not_found', `tenant ${id} has no trunk ${trunkId}`, { field: 'trunk_id' });
  return trunk;
}

function outbound(
  tenant: Tenant,
  trunk: Trunk | undefined,
  { called, calling, anonymous }: ExplainNumberRequest,
  mesh: Mesh,
): ExplainNumberResponse {
  const caller = { number: calling, anonymous };
  if (trunk?.kind === 'hybrid')
    return {
      plans: [planTo(planFor(trunk, called, caller, mesh.directory))],
      refusedCode: '',
      refusedReason: '',
    };
  return explained(() => {
    const made = planOutbound({ tenant, number: called, caller, trunk }, mesh, Date.now(), Math.random);
    const plans = [...made.plans.map(planTo), ...made.refused.map(refusedTo)];
    return { plans, require: () => requirePlan(made) };
  });
}

function inbound(
  tenant: Tenant,
  trunk: Trunk,
  { called: saidCalled, calling: saidCalling, anonymous }: ExplainNumberRequest,
  { directory, premiumPrefixes }: Mesh,
): ExplainNumberResponse {
  const called = fromTrunk(saidCalled, trunk, 'called', directory);
  const calling = fromTrunk(saidCalling, trunk, 'calling', directory);
  const plan = TrunkPlan.fromPartial({
    trunkId: trunk.id,
    refused: trunk.enabled ? '' : 'disabled',
    called: called.number,
    calledRule: called.rule,
    calling: anonymous ? '' : calling.number,
    callingRule: calling.rule,
  });
  return explained(() => ({
    plans: [plan],
    require() {
      const found = lookUp(called.number, tenant.id, directory);
      if (trunk.kind === 'carrier' && !found.did) throw fail('unknown_number', 'no number of the tenant');
      if (isOutside(found)) requireDestination(tenant, called.number, premiumPrefixes);
    },
  }));
}

/** Plans, and how the call would be refused all the same. */
function explained(explain: () => { plans: TrunkPlan[]; require(): unknown }): ExplainNumberResponse {
  let plans: TrunkPlan[] = [];
  try {
    const made = explain();
    plans = made.plans;
    made.require();
    return { plans, refusedCode: '', refusedReason: '' };
  } catch (error) {
    const { code, message } = toCallmeshError(error);
    if (code === 'internal') throw error;
    return { plans, refusedCode: code, refusedReason: message };
  }
}

function planTo(plan: OutboundPlan): TrunkPlan {
  return {
    trunkId: plan.trunk.id,
    refused: '',
    called: plan.called.number,
    calledRule: plan.called.rule,
    calling: plan.calling.number,
    callingRule: plan.calling.rule,
    assertedIdentity: plan.asserted,
    privacy: plan.privacy,
    failoverCauses: [...plan.failoverCauses],
  };
}

function refusedTo({ trunk, why }: Refused): TrunkPlan {
  return TrunkPlan.fromPartial({ trunkId: trunk.id, refused: why });
}
