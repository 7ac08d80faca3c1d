import { fail, toCallmeshError, traceparent } from '@callmesh/runtime';
import { callerFrom, trunkOfCall } from '../../domain/freeswitch/from-carrier.ts';
import { CARRIERS, MESH, type Question } from '../../domain/freeswitch/question.ts';
import { calledAgent, ringDevices } from '../../domain/freeswitch/towards-agent.ts';
import { offerToCarriers, outboundCall } from '../../domain/freeswitch/towards-carrier.ts';
import { bringToMedia } from '../../domain/freeswitch/towards-media.ts';
import type { Caller } from '../../domain/numbers/caller.ts';
import { planOutbound, requirePlan } from '../../domain/numbers/plan.ts';
import type { RouteHint, RouteRequest } from '../../domain/request.ts';
import type { Mesh } from '../../mesh.ts';
import type { Dialplan, DialplanPorts } from './dialplan.ts';
import { refusalIn } from './refusal.ts';

const NOT_REGISTERED: Dialplan = {
  context: MESH,
  apps: [{ application: 'respond', data: '480 Temporarily Unavailable' }],
  momentary: true,
  outcome: 'not_registered',
};

/** The four kinds of calls that wait in a dialplan: to and from agents at a router, to and from carriers at a tandem. */
export class Calls {
  readonly #mesh: Mesh;
  readonly #ports: Pick<DialplanPorts, 'router' | 'contacts' | 'progressS'>;

  constructor(mesh: Mesh, ports: Pick<DialplanPorts, 'router' | 'contacts' | 'progressS'>) {
    this.#mesh = mesh;
    this.#ports = ports;
  }

  /** A door names the node it sends to in X-Callmesh-Node, a node does not. */
  comesFromNode({ sourceAddress, sourcePort, mesh }: Question): boolean {
    const source = this.#mesh.nodes.at(`${sourceAddress}:${sourcePort}`);
    if (!source) return mesh.node === '';
    return source.role !== 'kama-wss' && source.role !== 'kama-pstn';
  }

  async toAgent(question: Question): Promise<Dialplan> {
    const agent = calledAgent(question, this.#mesh.directory);
    const apps = ringDevices(agent, await this.#ports.contacts(agent.id));
    const told = { tenant: agent.tenantId, session: question.mesh.session };
    return apps
      ? { context: MESH, apps, told: { ...told, reason: 'to an agent' } }
      : { ...NOT_REGISTERED, told: { ...told, reason: 'the agent is registered nowhere' } };
  }

  async fromAgent(question: Question): Promise<Dialplan> {
    const { tenant, agent } = question.mesh;
    const { directory } = this.#mesh;
    if (!directory.tenant(tenant))
      throw fail('tenant_forbidden', 'the call names no tenant there is', { field: 'tenant' });
    if (agent !== '' && directory.agentById(agent)?.tenantId !== tenant)
      throw fail('tenant_forbidden', `tenant ${tenant} has no such agent`, { field: 'agent' });
    return this.#toMedia(question, { tenantId: tenant, agentId: agent || undefined });
  }

  async fromCarrier(question: Question): Promise<Dialplan> {
    const { directory } = this.#mesh;
    const trunk = trunkOfCall(question, directory);
    const caller = callerFrom(question, trunk, directory);
    return this.#toMedia(question, { tenantId: trunk.tenantId, trunkId: trunk.id }, caller);
  }

  async toCarrier(question: Question): Promise<Dialplan> {
    const { directory, usage } = this.#mesh;
    const now = Date.now();
    const call = outboundCall(question, directory);
    const plans = requirePlan(planOutbound(call, this.#mesh, now, Math.random));
    const trunks = plans.map(({ trunk }) => trunk.id);
    usage.callOut(question.mesh.session || question.callId, trunks[0]!, now);
    const told = { tenant: call.tenant.id, session: question.mesh.session, trunks, reason: 'to carriers' };
    return { context: MESH, apps: offerToCarriers(plans, this.#ports.progressS), told };
  }

  /** As a session of a media node; the session router tells what came of it. */
  async #toMedia(question: Question, hint: Partial<RouteHint>, caller?: Caller): Promise<Dialplan> {
    const context = question.context === CARRIERS ? CARRIERS : MESH;
    try {
      const { decision, sessionId } = await this.#ports.router.route(requestFrom(question, hint));
      return { context, apps: bringToMedia(decision, sessionId, caller, traceparent()), sessionId };
    } catch (error) {
      return refusalIn(context, toCallmeshError(error));
    }
  }
}

function requestFrom(question: Question, hint: Partial<RouteHint>): RouteRequest {
  const { nodeId, callId, fromUri, requestUser, requestHost, sourceAddress, sourcePort, transport } =
    question;
  const requestUri = `sip:${requestUser}@${requestHost}`;
  return {
    edge: nodeId,
    callId,
    method: 'INVITE',
    fromUri,
    toUri: requestUri,
    requestUri,
    sourceAddress,
    sourcePort,
    transport,
    authorization: '',
    tlsSubject: '',
    hint: { role: 'media', triedNodes: [], ...hint },
  };
}
