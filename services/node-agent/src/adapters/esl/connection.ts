import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { fail, inSpan, SpanKind, withTimeout } from '@callmesh/runtime';
import { EslEvent } from './event.ts';
import { JobTable } from './jobs.ts';
import { contentType, type EslMessage } from './message.ts';
import { EslParser } from './parser.ts';
import { ReplyQueue } from './replies.ts';

export interface EslAddress {
  readonly host: string;
  readonly port: number;
  readonly password: string;
}

export interface EslListener {
  onEvent(event: EslEvent): void;
  /** Called once; nothing comes after it. */
  onClose(reason: string): void;
}

/** Most time until the TCP connection is made and the password accepted, milliseconds. */
const OPEN_MS = 3_000;
/** Deadline of a command that names none, milliseconds. */
const COMMAND_MS = 3_000;
const LINE_BREAK = /[\r\n]/;

/**
 * One inbound event socket connection, from connect to close. It does not come
 * back: what was asked and not answered fails with `outcome_unknown` and is never
 * sent again, because a transfer or an originate done twice is worse than one
 * that failed. What could not be asked fails with `unavailable`.
 */
export class EslConnection {
  readonly #socket: Socket;
  readonly #parser = new EslParser();
  readonly #replies = new ReplyQueue();
  readonly #jobs = new JobTable();
  readonly #listener: EslListener;
  #greeted: (() => void) | undefined;
  #closed: string | undefined;
  #notice = '';

  private constructor(socket: Socket, listener: EslListener) {
    this.#socket = socket;
    this.#listener = listener;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', (error) => this.#close((error as NodeJS.ErrnoException).code ?? error.message));
    socket.on('close', () => this.#close(this.#notice || 'closed by FreeSWITCH'));
  }

  /** Connects and authenticates. Errors: unavailable, unauthenticated (wrong password, or the ACL), deadline. */
  static async open(address: EslAddress, listener: EslListener, timeoutMs = OPEN_MS): Promise<EslConnection> {
    if (LINE_BREAK.test(address.password)) throw fail('invalid_argument', 'password has a line break');
    let opened = false;
    let reason = '';
    const connection = new EslConnection(connect(address.port, address.host), {
      onEvent: (event) => listener.onEvent(event),
      // A connection that never opened is a failed open, not one that closed.
      onClose: (why) => (opened ? listener.onClose(why) : connection.#failOpen(why)),
    });
    try {
      await withTimeout(connection.#login(address.password), timeoutMs, 'opening the event socket');
      opened = true;
    } catch (error) {
      reason = (error as Error).message;
      throw error;
    } finally {
      if (!opened) connection.close(reason);
    }
    return connection;
  }

  #failOpen: (reason: string) => void = () => {};

  async #login(password: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#greeted = resolve;
      this.#failOpen = (reason) => reject(fail('unavailable', `event socket: ${reason}`));
    });
    const reply = await this.#send(`auth ${password}`, 'auth', COMMAND_MS);
    if (!replyText(reply).startsWith('+OK')) throw fail('unauthenticated', 'event socket password refused');
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Subscribes to events by name; adds to what was subscribed before. */
  async subscribe(names: readonly string[]): Promise<void> {
    const reply = await this.#send(`event plain ${names.join(' ')}`, 'event', COMMAND_MS);
    if (!replyText(reply).startsWith('+OK')) throw fail('internal', `event: ${replyText(reply)}`);
  }

  /**
   * Runs a command and waits for its output. Nothing else, no event either,
   * leaves FreeSWITCH on this connection meanwhile: only for quick ones.
   * Errors: precondition_failed when the output says -ERR or -USAGE.
   */
  api(command: string, deadlineMs = COMMAND_MS): Promise<string> {
    return inSpan(`esl api ${nameOf(command)}`, SpanKind.CLIENT, {}, async () => {
      const reply = await this.#send(`api ${oneLine(command)}`, nameOf(command), deadlineMs);
      // `api` without an argument is answered by command/reply: the text is in a header then.
      return checked(command, reply.body.toString('utf8') || replyText(reply));
    });
  }

  /** Runs a command in the background; resolves with its BACKGROUND_JOB event. Needs that event subscribed. */
  bgapi(command: string, deadlineMs: number): Promise<EslEvent> {
    return inSpan(`esl bgapi ${nameOf(command)}`, SpanKind.CLIENT, {}, () =>
      this.#bgapi(command, deadlineMs),
    );
  }

  async #bgapi(command: string, deadlineMs: number): Promise<EslEvent> {
    const text = `bgapi ${oneLine(command)}`;
    const id = randomUUID();
    const done = this.#jobs.expect(id, nameOf(command), deadlineMs);
    // It may fail while the reply is still waited for.
    done.catch(() => {});
    try {
      const reply = await this.#send(`${text}\nJob-UUID: ${id}`, nameOf(command), deadlineMs);
      if (!replyText(reply).startsWith('+OK'))
        throw fail('precondition_failed', `${nameOf(command)}: ${replyText(reply)}`);
    } catch (error) {
      this.#jobs.refuse(id, error as Error);
    }
    const event = await done;
    checked(command, event.body);
    return event;
  }

  /** Ends the connection; what waits is rejected. */
  close(reason = 'closed by us'): void {
    this.#close(reason);
  }

  #send(text: string, what: string, deadlineMs: number): Promise<EslMessage> {
    if (this.#closed !== undefined)
      return Promise.reject(fail('unavailable', `event socket: ${this.#closed}`));
    const reply = this.#replies.expect(what, deadlineMs);
    this.#socket.write(`${text}\n\n`);
    return reply;
  }

  #onData(chunk: Buffer): void {
    try {
      for (const message of this.#parser.push(chunk)) this.#onMessage(message);
    } catch (error) {
      this.#close((error as Error).message);
    }
  }

  #onMessage(message: EslMessage): void {
    switch (contentType(message)) {
      case 'text/event-plain':
        this.#onEvent(EslEvent.fromPlain(message));
        return;
      case 'command/reply':
      case 'api/response':
        this.#replies.answer(message);
        return;
      case 'auth/request':
        this.#greeted?.();
        return;
      case 'text/rude-rejection':
        this.#close('refused by the access list');
        return;
      case 'text/disconnect-notice':
        this.#notice = message.body.toString('utf8').split('\n')[0] || 'disconnected';
    }
  }

  #onEvent(event: EslEvent): void {
    if (event.name === 'BACKGROUND_JOB') this.#jobs.finish(event);
    this.#listener.onEvent(event);
  }

  #close(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#socket.destroy();
    this.#replies.rejectAll(`event socket: ${reason}`);
    this.#jobs.rejectAll(`event socket: ${reason}`);
    this.#listener.onClose(reason);
  }
}

function replyText(message: EslMessage): string {
  return message.headers.get('Reply-Text') ?? '';
}

/** A line break would begin another command. */
function oneLine(command: string): string {
  if (LINE_BREAK.test(command)) throw fail('invalid_argument', 'a command is one line');
  return command;
}

/** What errors call a command: its arguments may be numbers, names and texts of people. */
function nameOf(command: string): string {
  return command.split(' ', 1)[0] ?? '';
}

/** FreeSWITCH has no status for an api call: failure is only in its text. */
function checked(command: string, output: string): string {
  const text = output.trim();
  if (/^-(ERR|USAGE)/.test(text))
    throw fail('precondition_failed', `${nameOf(command)}: ${text.slice(0, 200)}`);
  return text;
}
