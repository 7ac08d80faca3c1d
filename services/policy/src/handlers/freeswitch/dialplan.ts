import { fail, type Refusal, toCallmeshError } from '@callmesh/runtime';
import type { Logger } from 'pino';
import type { App } from '../../domain/freeswitch/dial-string.ts';
import { CARRIERS, MESH, readQuestion } from '../../domain/freeswitch/question.ts';
import type { Contact } from '../../domain/model.ts';
import type { Mesh } from '../../mesh.ts';
import type { RoutingMetrics } from '../metrics.ts';
import type { SessionRouter } from '../session-router.ts';
import { Calls } from './calls.ts';
import { isForgery, refusalIn } from './refusal.ts';

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
  /** What came of it, for metrics. */
  readonly outcome?: string | undefined;
  /** What is worth telling in the log; undefined when the session router has told it. */
  readonly told?: Record<string, unknown> | undefined;
}

type Fields = Readonly<Record<string, string>>;

/**
 * Answers what a node does with a call that waits in its dialplan; undefined where
 * policy has no part. A refusal is an answer too, with the SIP status it stands for.
 */
export class DialplanAnswerer {
  readonly #mesh: Mesh;
  readonly #ports: DialplanPorts;
  readonly #calls: Calls;

  constructor(mesh: Mesh, ports: DialplanPorts) {
    this.#mesh = mesh;
    this.#ports = ports;
    this.#calls = new Calls(mesh, ports);
  }

  async answer(fields: Fields): Promise<Dialplan | undefined> {
    const started = performance.now();
    const context = fields['Caller-Context'] ?? '';
    if (context !== MESH && context !== CARRIERS) return undefined;
    const answer = await this.#decide(fields).catch((error) => this.#refuse(context, fields, error));
    this.#record(fields, answer, performance.now() - started);
    return answer;
  }

  /** Which kind of call it is: by the role of the node that asks, and where the call came from. */
  async #decide(fields: Fields): Promise<Dialplan> {
    if (!this.#mesh.known) throw fail('unavailable', 'tenants and nodes are not known yet');
    const question = readQuestion(fields);
    const role = this.#mesh.nodes.get(question.nodeId)?.role;
    if (role === 'tandem')
      return question.context === CARRIERS
        ? this.#calls.fromCarrier(question)
        : this.#calls.toCarrier(question);
    if (role === 'router' && question.context === MESH)
      return this.#calls.comesFromNode(question)
        ? this.#calls.toAgent(question)
        : this.#calls.fromAgent(question);
    throw fail('unauthenticated', `${question.nodeId} is no node that carries such calls`, {
      field: 'hostname',
    });
  }

  #refuse(context: string, fields: Fields, thrown: unknown): Dialplan {
    const error = toCallmeshError(thrown);
    const { code, message: detail, cause } = error;
    if (code === 'internal') this.#ports.log.error({ err: cause ?? error }, 'dialplan failed');
    if (isForgery(code)) {
      const tenantId = fields['variable_sip_h_X-Callmesh-Tenant'] ?? '';
      this.#ports.audit({ what: 'dialplan', code, tenantId, actor: fields.hostname ?? '', detail });
    }
    return { ...refusalIn(context, error), told: { code, reason: detail } };
  }

  #record(fields: Fields, { outcome = 'ok', told }: Dialplan, ms: number): void {
    this.#ports.metrics.answered('dialplan', outcome, ms);
    if (!told) return;
    const call = { node: fields.hostname, call_id: fields.variable_sip_call_id };
    this.#ports.log.info({ ...call, ...told, ms: Math.round(ms * 1000) / 1000 }, 'dialplan');
  }
}
