import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { eventually, freePort, freeswitchApi, freeswitchNode, type Process } from '@callmesh/local';
import type { CallEvent } from '@callmesh/proto/call';
import type { NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import type { Dial, Program, Step } from '@callmesh/proto/program';
import { sendCommand } from '@callmesh/runtime';
import { Stage } from '../node-agent/stage.ts';
import { Phone, type PhoneCall } from '../sip/phone.ts';

export const TENANT = 'acme';
const ID = 'fs-media-1';
const GROUP = 'media-a';
const DEADLINE_MS = 5_000;

type What = NonNullable<NodeCommand['command']>;

/** A call that came in, and the leg the node has of it. */
export interface Caller {
  readonly call: PhoneCall;
  readonly leg: string;
  readonly session: string;
  readonly tenant: string;
}

type Target = Pick<Caller, 'leg' | 'session'> & Partial<Pick<Caller, 'tenant'>>;

/** A real fs-media with its agent, in the hands of a test that commands it as call-control does. */
export class CommandedNode {
  readonly stage: Stage;
  readonly server: Process;
  readonly agent: Process;
  readonly sip: string;
  readonly recordings: string;
  readonly #esl: { readonly port: number; readonly password: string };
  readonly #phones: Phone[] = [];

  private constructor(
    stage: Stage,
    server: Process,
    agent: Process,
    node: { sip: string; recordings: string; esl: { port: number; password: string } },
  ) {
    this.stage = stage;
    this.server = server;
    this.agent = agent;
    this.sip = node.sip;
    this.recordings = node.recordings;
    this.#esl = node.esl;
  }

  static async start(): Promise<CommandedNode> {
    const stage = await Stage.start();
    const sip = `127.0.0.1:${await freePort()}`;
    const esl = { port: await freePort(), password: randomBytes(16).toString('hex') };
    const dir = join(stage.dir, 'freeswitch');
    const server = freeswitchNode({ id: ID, role: 'media', dir, sip, esl, max: 100 });
    await stage.run(server);
    const agent = await stage.agent(ID, {
      node: { id: ID, role: 'media', group: GROUP, sip_uri: `sip:${sip};transport=udp` },
      backend: { kind: 'freeswitch', esl: { host: '127.0.0.1', ...esl }, on_stop: 'leave' },
    });
    await stage.registered('media', ID);
    return new CommandedNode(stage, server, agent, { sip, recordings: join(dir, 'recordings'), esl });
  }

  async stop(): Promise<void> {
    await this.hangUpAll();
    await this.stage.stop();
  }

  /** Ends the calls and phones of one test. */
  async hangUpAll(): Promise<void> {
    for (const phone of this.#phones.splice(0)) phone.close();
    await eventually(async () => {
      await this.api('hupall');
      return /^0 total/m.test(await this.api('show channels count'));
    }, 'all channels are gone');
  }

  /** Asks FreeSWITCH itself, past the agent. */
  api(command: string): Promise<string> {
    return freeswitchApi(this.#esl, command);
  }

  async phone(user: string, tone: number): Promise<Phone> {
    const phone = await Phone.open(user, tone);
    this.#phones.push(phone);
    return phone;
  }

  /** A call of the mesh comes in; it waits, unanswered, for a command. */
  async caller(phone: Phone, more: Record<string, string> = {}): Promise<Caller> {
    const session = randomBytes(8).toString('hex');
    const headers = { 'X-Callmesh-Session': session, 'X-Callmesh-Tenant': TENANT, ...more };
    const call = await phone.call({ proxy: this.sip, to: `sip:1000@${this.sip}`, headers });
    const created = await this.told({ event: 'created', sessionId: session });
    return { call, leg: created.legUuid, session, tenant: headers['X-Callmesh-Tenant'] };
  }

  /** A call that was answered by command, and hears and is heard. */
  async answered(phone: Phone, more: Record<string, string> = {}): Promise<Caller> {
    const caller = await this.caller(phone, more);
    await this.ok(caller, { $case: 'answer', value: {} });
    await eventually(() => caller.call.status === 200, 'the call is answered');
    return caller;
  }

  /** Commands as call-control does; `more` replaces what the command says. */
  async command(caller: Target, command: What, more: Partial<NodeCommand> = {}) {
    const { epoch } = await this.stage.registered('media', ID);
    return sendCommand(this.stage.nats, ID, {
      commandId: randomUUID(),
      expiresAt: new Date(Date.now() + DEADLINE_MS),
      nodeEpoch: epoch,
      tenantId: caller.tenant ?? TENANT,
      sessionId: caller.session,
      legUuid: caller.leg,
      actor: 'test',
      command,
      ...more,
    });
  }

  /** The same, and it must be done. */
  async ok(caller: Target, command: What, more: Partial<NodeCommand> = {}): Promise<NodeCommandResult> {
    const result = await this.command(caller, command, more);
    if (result.errorCode) throw new Error(`${command.$case}: ${result.errorCode}: ${result.errorMessage}`);
    return result;
  }

  run(caller: Caller, ...steps: NonNullable<Step['step']>[]): Promise<NodeCommandResult> {
    return this.ok(caller, { $case: 'run', value: { program: program(...steps), onlyFirst: false } });
  }

  /** The agent is there again and knows the node's legs. */
  async up(): Promise<void> {
    await this.stage.registered('media', ID);
    await this.stage.up(ID);
  }

  /** A command that changes nothing comes through again. */
  async commandable(caller: Target): Promise<void> {
    const nothing = { $case: 'setVariables', value: { variables: {} } } as const;
    await eventually(
      async () => (await this.command(caller, nothing).catch(() => undefined))?.errorCode === '',
      'commands come through',
      15_000,
    );
  }

  /** The first call event of which all this is true. */
  told(wanted: Partial<CallEvent>): Promise<CallEvent> {
    const entries = Object.entries(wanted) as [keyof CallEvent, unknown][];
    return eventually(
      () => this.stage.calls.find((event) => entries.every(([name, value]) => event[name] === value)),
      `told of ${JSON.stringify(wanted)}`,
    );
  }

  /** Events of a leg, in the order they were told. */
  story(leg: string): CallEvent[] {
    return this.stage.calls.filter(({ legUuid }) => legUuid === leg);
  }
}

export function program(...steps: NonNullable<Step['step']>[]): Program {
  return { steps: steps.map((step) => ({ step })) };
}

/** Calls phones at their addresses: in each group all at once. */
export function dialOf(groups: readonly (readonly Phone[])[], more: Partial<Dial> = {}): Dial {
  return {
    groups: groups.map((phones) => ({
      legs: phones.map((phone) => ({ hops: [hop(phone.uri)], agentId: '', trunkId: '' })),
      timeoutS: 10,
    })),
    callerNumber: '',
    callerName: '',
    continueOn: [],
    parkAfter: false,
    anonymous: false,
    ...more,
  };
}

export function hop(uri: string, nextHop = '') {
  return { uri, nextHop, nodeId: '' };
}
