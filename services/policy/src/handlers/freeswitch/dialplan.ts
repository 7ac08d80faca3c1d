import {
  type CallmeshError,
  catalogue,
  type ErrorCode,
  fail,
  type Refusal,
  toCallmeshError,
} from '@callmesh/runtime';
import type { Logger } from 'pino';
import type { App } from '../../domain/freeswitch/dial-string.ts';
import { callerFrom, trunkOfCall } from '../../domain/freeswitch/from-carrier.ts';
import { CARRIERS, MESH, type Question, readQuestion } from '../../domain/freeswitch/question.ts';
import { calledAgent, ringDevices } from '../../domain/freeswitch/towards-agent.ts';
import { offerToCarriers, outboundCall } from '../../domain/freeswitch/towards-carrier.ts';
import { bringToMedia } from '../../domain/freeswitch/towards-media.ts';
import type { Contact } from '../../domain/model.ts';
import type { NodeRow } from '../../domain/node-table.ts';
import { planOutbound, requirePlan } from '../../domain/numbers/plan.ts';
import type { RouteHint, RouteRequest } from '../../domain/request.ts';
import type { Mesh } from '../../mesh.ts';
import type { RoutingMetrics } from '../metrics.ts';
import type { Routed, SessionRouter } from '../session-router.ts';

export interface DialplanPorts {
  readonly router: Pick<SessionRouter, 'route'>;
  /** An agent's live contacts; rejects when nobody can say. */
  contacts(agentId: string): Promise<readonly Contact[]>;
  audit(refusal: Refusal): void;
  /** Seconds a carrier may take until it says that it rings. */
  readonly progressS: number;
  readonly metrics: RoutingMetrics;
  readonly log: Logger;
}

/** What a node does with a call. */
export interface Dialplan {
  readonly context: string;
  readonly apps: readonly App[];
  /** A session that is new with this answer. */
  readonly sessionId?: string | undefined;
  /** True when it is only so now: the next call of the kind may fare better. */
  readonly momentary?: boolean | undefined;
  /** What came of it, for metrics and the log. */
  readonly outcome?: string | undefined;
  /** What is worth telling in the log; undefined when the session router has told it. */
  readonly told?: Record<string, unknown> | undefined;
}

/** Refusals that say nothing of the next call. */
const MOMENTARY: ReadonlySet<ErrorCode> = new Set([
  'limit_calls',
  'limit_cps',
  'no_node',
  'unavailable',
  'internal',
]);
/** Somebody inside speaks for what is not its own. */
const AUDITED: ReadonlySet<ErrorCode> = new Set(['tenant_forbidden', 'unauthenticated']);

/**
 * Answers what a node does with a call that waits in its dialplan; undefined where
 * policy has no part. A refusal is an answer too, with the SIP status it stands for.
 */
export class DialplanAnswerer {
  readonly #mesh: Mesh;
  readonly #ports: DialplanPorts;

  constructor(mesh: Mesh, ports: DialplanPorts) {
    this.#mesh = mesh;
    this.#ports = ports;
  }

  async answer(fields: Readonly<Record<string, string>>): Promise<Dialplan | undefined> {
    const started = performance.now();
    const context = fields['Caller-Context'] ?? '';
    if (context !== MESH && context !== CARRIERS) return undefined;
    const answer = await this.#decide(fields).catch((error) =>
      this.#refuse(context, fields, toCallmeshError(error)),
    );
    const ms = performance.now() - started;
    this.#ports.metrics.answered('dialplan', answer.outcome ?? 'ok', ms);
    if (answer.told)
      this.#ports.log.info(
        {
          node: fields.hostname,
          call_id: fields.variable_sip_call_id,
          ...answer.told,
          ms: Math.round(ms * 1000) / 1000,
        },
        'dialplan',
      );
    return answer;
  }

  async #decide(fields: Readonly<Record<string, string>>): Promise<Dialplan> {
    if (!this.#mesh.known) throw fail('unavailable', 'tenants and nodes are not known yet');
    const question = readQuestion(fields);
    const node = this.#mesh.nodes.get(question.nodeId);
    if (node?.role === 'tandem')
      return question.context === CARRIERS ? this.#fromCarrier(question) : this.#toCarrier(question);
    if (node?.role === 'router' && question.context === MESH)
      return this.#comesFromNode(question) ? this.#toAgent(question) : this.#fromAgent(question);
    throw fail('unauthenticated', `${question.nodeId} is no node that carries such calls`, {
      field: 'hostname',
    });
  }

  /** A door names the node it sends to in X-Callmesh-Node, a node does not. */
  #comesFromNode({ sourceAddress, sourcePort, mesh }: Question): boolean {
    const source: NodeRow | undefined = this.#mesh.nodes.at(`${sourceAddress}:${sourcePort}`);
    if (!source) return mesh.node === '';
    return source.role !== 'kama-wss' && source.role !== 'kama-pstn';
  }

  async #toAgent(question: Question): Promise<Dialplan> {
    const agent = calledAgent(question, this.#mesh.directory);
    const { tenantId } = agent;
    const apps = ringDevices(agent, await this.#ports.contacts(agent.id));
    const told = { tenant: tenantId, session: question.mesh.session, reason: 'to an agent' };
    if (apps) return { context: MESH, apps, told };
    return {
      context: MESH,
      apps: [{ application: 'respond', data: '480 Temporarily Unavailable' }],
      momentary: true,
      outcome: 'not_registered',
      told: { ...told, reason: 'the agent is registered nowhere' },
    };
  }

  async #fromAgent(question: Question): Promise<Dialplan> {
    const { tenant, agent } = question.mesh;
    const { directory } = this.#mesh;
    if (!directory.tenant(tenant))
      throw fail('tenant_forbidden', 'the call names no tenant there is', { field: 'tenant' });
    if (agent !== '' && directory.agentById(agent)?.tenantId !== tenant)
      throw fail('tenant_forbidden', `tenant ${tenant} has no such agent`, { field: 'agent' });
    const routed = await this.#route(question, { tenantId: tenant, agentId: agent || undefined });
    return {
      context: MESH,
      apps: bringToMedia(routed.decision, routed.sessionId),
      sessionId: routed.sessionId,
    };
  }

  async #fromCarrier(question: Question): Promise<Dialplan> {
    const { directory } = this.#mesh;
    const trunk = trunkOfCall(question, directory);
    const caller = callerFrom(question, trunk, directory);
    const routed = await this.#route(question, { tenantId: trunk.tenantId, trunkId: trunk.id });
    const apps = bringToMedia(routed.decision, routed.sessionId, caller);
    return { context: CARRIERS, apps, sessionId: routed.sessionId };
  }

  async #toCarrier(question: Question): Promise<Dialplan> {
    const { directory, usage } = this.#mesh;
    const now = Date.now();
    const call = outboundCall(question, directory);
    const plans = requirePlan(planOutbound(call, this.#mesh, now, Math.random));
    const [first] = plans as [(typeof plans)[0]];
    usage.callOut(question.mesh.session || question.callId, first.trunk.id, now);
    const trunks = plans.map(({ trunk }) => trunk.id);
    const told = { tenant: call.tenant.id, session: question.mesh.session, trunks, reason: 'to carriers' };
    return { context: MESH, apps: offerToCarriers(plans, this.#ports.progressS), told };
  }

  #route(question: Question, hint: Omit<RouteHint, 'triedNodes'>): Promise<Routed> {
    const { nodeId, callId, fromUri, requestUser, requestHost, sourceAddress, sourcePort, transport } =
      question;
    const uri = `sip:${requestUser}@${requestHost}`;
    const request: RouteRequest = {
      edge: nodeId,
      callId,
      method: 'INVITE',
      fromUri,
      toUri: uri,
      requestUri: uri,
      sourceAddress,
      sourcePort,
      transport,
      authorization: '',
      tlsSubject: '',
      hint: { role: 'media', ...hint, triedNodes: [] },
    };
    return this.#ports.router.route(request);
  }

  #refuse(context: string, fields: Readonly<Record<string, string>>, error: CallmeshError): Dialplan {
    const { code, message } = error;
    const tenantId = fields['variable_sip_h_X-Callmesh-Tenant'] ?? '';
    if (code === 'internal') this.#ports.log.error({ err: error.cause ?? error }, 'dialplan failed');
    if (AUDITED.has(code))
      this.#ports.audit({ what: 'dialplan', code, tenantId, actor: fields.hostname ?? '', detail: message });
    const { sip, reason } = catalogue[code];
    return {
      context,
      apps: [{ application: 'respond', data: `${sip} ${reason}` }],
      momentary: MOMENTARY.has(code),
      outcome: code,
      told: { code, reason: message },
    };
  }
}
