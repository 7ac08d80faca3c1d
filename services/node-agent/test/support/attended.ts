import { EslConnection } from '../../src/adapters/esl/connection.ts';
import type { Attendant } from '../../src/adapters/freeswitch/attendant.ts';
import { accepting, plainEvent, reply, response, ScriptedEsl } from '../scripted-esl.ts';

/** What is answered to an API command; undefined: nothing, ever. */
export type Answer = (command: string) => string | undefined;

/** A scripted FreeSWITCH, and its agent's connection with one attendant. */
export class Attended {
  readonly asked: string[] = [];
  answer: Answer;
  readonly #esl: ScriptedEsl;
  readonly #attendant: Attendant;
  readonly #connections: EslConnection[] = [];

  private constructor(esl: ScriptedEsl, attendant: Attendant, answer: Answer) {
    this.#esl = esl;
    this.#attendant = attendant;
    this.answer = answer;
    esl.script = accepting((line) => this.#handle(line));
  }

  static async start(attendant: Attendant, answer: Answer): Promise<Attended> {
    const attended = new Attended(await ScriptedEsl.start(() => undefined), attendant, answer);
    await attended.connect();
    return attended;
  }

  /** A fresh connection, with what the attendant does about it. */
  async connect(): Promise<void> {
    const connection = await EslConnection.open(
      { host: '127.0.0.1', port: this.#esl.port, password: 'secret' },
      { onEvent: (event) => event.name === 'CUSTOM' && this.#attendant.onCustom(event), onClose: () => {} },
    );
    this.#connections.push(connection);
    await connection.subscribe(['BACKGROUND_JOB', 'CUSTOM', ...this.#attendant.subclasses]);
    await this.#attendant.onOpen?.(connection);
  }

  cut(): void {
    this.#connections.at(-1)?.close();
  }

  /** An event of a subclass. */
  tell(subclass: string, headers: Record<string, string>): void {
    this.#esl.peer.send(plainEvent({ 'Event-Name': 'CUSTOM', 'Event-Subclass': subclass, ...headers }));
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await this.#esl.stop();
  }

  #handle(line: string): string | undefined {
    const [, kind, command = '', job] = /^(api|bgapi) (.*?)(?:\nJob-UUID: (.*))?$/s.exec(line) ?? [];
    this.asked.push(command);
    const body = this.answer(command);
    if (kind === 'api') return body === undefined ? undefined : response(body);
    const accepted = reply(`+OK Job-UUID: ${job}`);
    if (body === undefined) return accepted;
    return accepted + plainEvent({ 'Event-Name': 'BACKGROUND_JOB', 'Job-UUID': job! }, body);
  }
}
