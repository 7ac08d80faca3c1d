import type { NodeCommand } from '@callmesh/proto/command';
import { type CallmeshError, fail, toCallmeshError, withTimeout } from '@callmesh/runtime';
import { admit, checkForm } from '../../domain/commands/admit.ts';
import { CommandMemory, type Outcome } from '../../domain/commands/memory.ts';
import { originatePlan, type Plan, planOf } from '../../domain/commands/plan.ts';
import type { EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';
import type { FreeSwitch } from './freeswitch.ts';
import { CommandJournal } from './journal.ts';
import type { Waits } from './waits.ts';

/** Longest FreeSWITCH is waited for before it is handed anything, milliseconds; it answers within one. */
const AWAKE_MS = 3_000;
/** Longest a call may ring until it is answered, milliseconds: the job of an originate goes on that long. */
const RINGING_MS = 330_000;

/** Carries out commands on one FreeSWITCH, each at most once. */
export class Commander {
  readonly #freeswitch: FreeSwitch;
  readonly #waits: Waits;
  readonly #memory = new CommandMemory();
  readonly #journal: CommandJournal;

  /** `file` keeps commands across a restart of the agent. */
  constructor(freeswitch: FreeSwitch, waits: Waits, file: string) {
    this.#freeswitch = freeswitch;
    this.#waits = waits;
    this.#journal = new CommandJournal(file, this.#memory, Date.now());
  }

  close(): void {
    this.#journal.close();
  }

  /** Errors: as NodeCommandResult says; what was refused before FreeSWITCH was asked is not remembered. */
  async carryOut(command: NodeCommand): Promise<Outcome> {
    checkForm(command);
    const earlier = this.#memory.recall(command.commandId, Date.now());
    if (earlier) return { ...(await earlier), repeated: true };
    const { plan, undo } = this.#planned(command);
    if (plan.lines.length === 0) return {};
    const outcome = this.#once(command, plan, this.#freeswitch.connection, undo);
    this.#memory.remember(command.commandId, outcome, Date.now());
    return outcome;
  }

  /** What to do, and what to take back when it could not be begun. */
  #planned(command: NodeCommand): { plan: Plan; undo: () => void } {
    const now = Date.now();
    const { epoch } = this.#freeswitch;
    if (epoch === undefined) throw fail('unavailable', 'FreeSWITCH is not connected');
    const leg = admit(command, { epoch, now, leg: (uuid) => this.#freeswitch.leg(uuid) });
    const setting = this.#freeswitch.setting(now);
    const { command: what } = command;
    if (!leg || what?.$case === 'originate') return { plan: originatePlan(command, setting), undo: () => {} };
    const plan = planOf(command, leg, setting);
    const { programmed } = leg;
    // At once: of two that ask for the first program, one is the first.
    leg.programmed ||= what?.$case === 'run';
    return { plan, undo: () => Object.assign(leg, { programmed }) };
  }

  /** The outcome as a value, errors too: a repetition gets the same. */
  async #once(
    command: NodeCommand,
    plan: Plan,
    connection: EslConnection,
    undo: () => void,
  ): Promise<Outcome> {
    const { commandId } = command;
    try {
      await this.#awake(connection, command);
    } catch (error) {
      this.#memory.forget(commandId);
      undo();
      throw error;
    }
    this.#journal.begun(commandId, Date.now());
    const outcome = await this.#handOver(command, plan, connection).catch((error) =>
      refusal(toCallmeshError(error)),
    );
    this.#journal.ended(commandId, outcome, Date.now());
    return outcome;
  }

  /**
   * FreeSWITCH answers: what is handed to one that does not would be carried out
   * whenever it goes on, long after it was given up.
   */
  async #awake(connection: EslConnection, command: NodeCommand): Promise<void> {
    const { $case } = command.command!;
    const question = $case === 'originate' ? 'fsctl pause_check inbound' : `uuid_exists ${command.legUuid}`;
    let answer: string;
    try {
      answer = await connection.api(question, Math.min(leftOf(command), AWAKE_MS));
    } catch (error) {
      throw fail('unavailable', 'FreeSWITCH does not answer: nothing was done', { cause: error });
    }
    if (leftOf(command) <= 0) throw fail('unavailable', 'FreeSWITCH was too slow: nothing was done');
    if ($case !== 'originate' && answer !== 'true')
      throw fail('not_found', 'no such leg on this node', { field: 'leg_uuid' });
  }

  async #handOver(command: NodeCommand, plan: Plan, connection: EslConnection): Promise<Outcome> {
    const { commandId, legUuid } = command;
    try {
      if (plan.awaits === 'leg') return await this.#created(command, plan, connection);
      const digits = plan.awaits === 'digits' ? this.#waits.digits(commandId, legUuid) : undefined;
      digits?.catch(() => {});
      const last = await lines(command, plan, connection);
      this.#mark(command, last);
      for (const line of plan.after ?? []) void connection.bgapi(line, leftOf(command)).catch(() => {});
      if (digits) return await withTimeout(digits, leftOf(command), 'collect');
      return plan.recording === undefined ? {} : { recording: plan.recording };
    } finally {
      this.#waits.forget(commandId, legUuid);
    }
  }

  /** The API command ends when somebody answered; the result is wanted when the leg is there. */
  async #created(command: NodeCommand, { lines }: Plan, connection: EslConnection): Promise<Outcome> {
    const leg = this.#waits.leg(command.legUuid);
    const ended = accepted(connection.bgapi(lines[0]!, RINGING_MS));
    ended.catch(() => {});
    await withTimeout(Promise.race([leg, ended]), leftOf(command), 'originate');
    return {};
  }

  #mark({ command, legUuid }: NodeCommand, last: EslEvent): void {
    if (command?.$case === 'hold') this.#freeswitch.held(legUuid, command.value.on, last);
  }
}

/** Asks line after line; the last one's answer. */
async function lines(command: NodeCommand, plan: Plan, connection: EslConnection): Promise<EslEvent> {
  const left = leftOf(command);
  const first = plan.lines.slice(0, -1);
  const last = () => accepted(connection.bgapi(plan.lines.at(-1)!, leftOf(command)));
  if (!plan.atOnce) {
    for (const line of plan.before ?? []) await connection.bgapi(line, left).catch(() => {});
    for (const line of first) await accepted(connection.bgapi(line, leftOf(command)));
    return last();
  }
  // FreeSWITCH takes the next only when it has done an `api`.
  for (const line of plan.before ?? []) void connection.api(line, left).catch(() => {});
  const answers = first.map((line) => connection.api(line, left));
  const [result] = await Promise.all([last(), ...answers]);
  return result;
}

/** Not all that FreeSWITCH refuses begins with -ERR. */
async function accepted(job: Promise<EslEvent>): Promise<EslEvent> {
  const event = await job;
  const text = event.body.trim();
  if (!text.startsWith('+OK')) throw fail('precondition_failed', `FreeSWITCH: ${text.slice(0, 200)}`);
  return event;
}

function leftOf({ expiresAt }: NodeCommand): number {
  return expiresAt!.getTime() - Date.now();
}

function refusal({ code, message, field }: CallmeshError): Outcome {
  // It ended between our question and the command.
  if (code === 'precondition_failed' && message.includes('No such channel'))
    return { errorCode: 'not_found', errorMessage: message, errorField: 'leg_uuid' };
  return {
    errorCode: code === 'deadline' ? 'outcome_unknown' : code,
    errorMessage: message,
    errorField: field ?? '',
  };
}
