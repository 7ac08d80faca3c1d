import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { EVENT_NAMES, type EventFormat, type FsEvent, formatEvent } from './event.ts';
import { matchesFilters } from './filters.ts';
import { CommandReader, type EslCommand } from './frames.ts';

/** What a connection asks of the switch behind it. */
export interface EslBackend {
  password: string;
  /** Runs an API command; the text is what FreeSWITCH would write to the stream. */
  api(command: string, argument: string): string | Promise<string>;
  backgroundJob(job: { uuid: string; command: string; argument: string; result: string }): void;
  /** False when no such channel exists. */
  sendMessage(uuid: string, headers: Map<string, string>): boolean;
  sendEvent(name: string, uuid: string, command: EslCommand): void;
  closed(connection: EslConnection): void;
}

const GOODBYE = 'Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n';

/** One client of the event socket: mod_event_socket's parse_command, reply for reply. */
export class EslConnection {
  private readonly socket: Socket;
  private readonly backend: EslBackend;
  private readonly reader = new CommandReader();
  private readonly queue: EslCommand[] = [];
  private busy = false;
  private authed = false;
  private format: EventFormat = 'plain';
  private listening = false;
  private readonly events = new Set<string>();
  private readonly subclasses = new Set<string>();
  private filters: { name: string; value: string }[] = [];
  private myEvents: string | undefined;
  private logging = false;
  private held: string[] | undefined;

  constructor(socket: Socket, backend: EslBackend) {
    this.socket = socket;
    this.backend = backend;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => backend.closed(this));
    socket.on('data', (chunk) => this.received(chunk));
    this.write('Content-Type: auth/request\n\n');
  }

  /** True when an event of this name would be looked at here; cheap, so that unwanted events are never built. */
  wants(name: string): boolean {
    return this.listening && (this.events.has('ALL') || this.events.has(name));
  }

  /** Sends an event if subscription and filters let it through. */
  event(event: FsEvent, subclass?: string): void {
    if (!this.wants(event.name)) return;
    const custom = event.name === 'CUSTOM' && subclass !== undefined && !this.events.has('ALL');
    if (custom && !this.subclasses.has(subclass)) return;
    if (!matchesFilters(this.filters, event.headers)) return;
    if (
      this.myEvents &&
      !event.headers.some(([name, value]) => name === 'Unique-ID' && value === this.myEvents)
    )
      return;
    this.write(formatEvent(event, this.format));
  }

  /** As with SIGSTOP: nothing is read or written, the socket stays. */
  freeze(frozen: boolean): void {
    if (frozen) {
      this.held ??= [];
      this.socket.pause();
      return;
    }
    const held = this.held ?? [];
    this.held = undefined;
    for (const text of held) this.socket.write(text);
    this.socket.resume();
  }

  /** The notice of a switch that stops. */
  goodbye(): void {
    const text = 'The system is being shut down.\n';
    this.write(`Content-Type: text/disconnect-notice\nContent-Length: ${text.length}\n\n${text}`);
    this.socket.end();
  }

  /** Closes with a reset, as when the process dies. */
  destroy(): void {
    this.socket.resetAndDestroy();
  }

  private write(text: string): void {
    if (this.held) this.held.push(text);
    else if (this.socket.writable) this.socket.write(text);
  }

  private received(chunk: Buffer): void {
    try {
      this.queue.push(...this.reader.push(chunk));
    } catch {
      this.socket.destroy();
      return;
    }
    if (!this.busy) void this.work();
  }

  /** One command after another: FreeSWITCH answers in order, and a slow api holds up the next. */
  private async work(): Promise<void> {
    this.busy = true;
    for (let command = this.queue.shift(); command; command = this.queue.shift()) {
      const reply = this.run(command);
      if (reply instanceof Promise) this.write(await reply);
      else this.write(reply);
    }
    this.busy = false;
  }

  private run(command: EslCommand): string | Promise<string> {
    const [, word = '', rest = ''] = /^(\S+)(?: (.*))?$/s.exec(command.line.trimEnd()) ?? [];
    const name = word.toLowerCase();
    if (name.startsWith('exit') || name.startsWith('...')) return this.bye('+OK bye');
    if (!this.authed) return this.authenticate(name, rest);
    switch (name) {
      case 'api':
        return rest === '' ? NOT_FOUND : this.api(rest);
      case 'bgapi':
        return rest === '' ? NOT_FOUND : this.backgroundApi(rest, command);
      case 'event':
        return this.subscribe(rest);
      case 'nixevent':
        return this.unsubscribe(rest);
      case 'noevents':
        return this.noEvents();
      case 'filter':
        return this.filter(rest);
      case 'myevents':
        this.myEvents = rest.split(' ')[0] ?? '';
        for (const event of EVENT_NAMES)
          if (/^(CHANNEL_|DTMF|TALK|NOTALK)/.test(event)) this.events.add(event);
        this.listening = true;
        return reply('+OK Events Enabled');
      case 'sendmsg':
        return this.sendMessage(rest, command);
      case 'sendevent':
        return this.sendEvent(rest, command);
      case 'linger':
      case 'nolinger':
        return reply('-ERR not controlling a session');
      case 'divert_events':
        return reply('-ERR not controlling a session.');
      case 'log':
        this.logging = true;
        return reply(`+OK log level ${rest} [${LOG_LEVELS.indexOf(rest.toLowerCase())}]`);
      case 'nolog': {
        const was = this.logging;
        this.logging = false;
        return reply(was ? '+OK no longer logging' : '-ERR not loging');
      }
      default:
        return NOT_FOUND;
    }
  }

  private authenticate(name: string, rest: string): string {
    if (name === 'auth') {
      if (rest !== this.backend.password) return this.bye('-ERR invalid');
      this.authed = true;
      return reply('+OK accepted');
    }
    return name === 'userauth' ? this.bye('-ERR invalid') : NOT_FOUND;
  }

  private bye(text: string): string {
    const notice = `Content-Type: text/disconnect-notice\nContent-Length: ${GOODBYE.length}\n\n${GOODBYE}`;
    this.queue.length = 0;
    setImmediate(() => this.socket.end());
    return reply(text) + notice;
  }

  private api(rest: string): string | Promise<string> {
    const { command, argument } = split(rest);
    const result = this.backend.api(command, argument);
    return result instanceof Promise ? result.then(apiResponse) : apiResponse(result);
  }

  private backgroundApi(rest: string, { headers }: EslCommand): string {
    const { command, argument } = split(rest);
    const uuid = headers.get('job-uuid') ?? randomUUID();
    setImmediate(async () => {
      const result = await this.backend.api(command, argument);
      this.backend.backgroundJob({ uuid, command, argument, result });
    });
    return `Content-Type: command/reply\nReply-Text: +OK Job-UUID: ${uuid}\nJob-UUID: ${uuid}\n\n`;
  }

  private subscribe(rest: string): string {
    let known = 0;
    let custom = false;
    for (const [index, word] of rest.split(' ').entries()) {
      const lower = word.toLowerCase();
      const upper = word.toUpperCase();
      if (index === 0 && (lower === 'plain' || lower === 'json' || lower === 'xml')) this.format = lower;
      else if (custom) this.subclasses.add(word);
      else if (EVENT_NAMES.has(upper)) {
        known++;
        this.events.add(upper);
        custom = upper === 'CUSTOM';
      }
    }
    if (known === 0) return reply('-ERR no keywords supplied');
    this.listening = true;
    return reply(`+OK event listener enabled ${this.format}`);
  }

  private unsubscribe(rest: string): string {
    const names = rest
      .toUpperCase()
      .split(' ')
      .filter((name) => EVENT_NAMES.has(name));
    if (names.length === 0) return reply('-ERR no keywords supplied');
    if (this.events.delete('ALL') && !names.includes('ALL'))
      for (const name of EVENT_NAMES) this.events.add(name);
    for (const name of names) this.events.delete(name);
    if (names.includes('ALL')) this.events.clear();
    else if (this.events.has('ALL')) this.events.delete('ALL');
    this.listening = true;
    return reply('+OK events nixed');
  }

  private noEvents(): string {
    if (!this.listening) return reply('-ERR not listening for events');
    this.listening = false;
    this.events.clear();
    this.subclasses.clear();
    return reply('+OK no longer listening for events');
  }

  private filter(rest: string): string {
    const words = rest.trim().split(' ');
    if (words[0]?.toLowerCase() === 'delete' && words.length > 1) {
      const name = words[1] as string;
      const value = words.slice(2).join(' ');
      this.filters = this.filters.filter((known) => {
        const same =
          known.name.toLowerCase() === name.toLowerCase() && (value === '' || known.value === value);
        return name.toLowerCase() !== 'all' && !same;
      });
      return reply(`+OK filter deleted. [${name}][${value}]`);
    }
    if (words[0]?.toLowerCase() === 'add' && words.length > 2) words.shift();
    if (words.length < 2) return reply('-ERR invalid syntax');
    const name = words[0] as string;
    const value = words.slice(1).join(' ');
    this.filters.push({ name, value });
    return reply(`+OK filter added. [${name}]=[${value}]`);
  }

  private sendMessage(rest: string, command: EslCommand): string {
    const uuid = rest || command.headers.get('session-id') || '';
    return reply(
      this.backend.sendMessage(uuid, command.headers) ? '+OK' : `-ERR invalid session id [${uuid}]`,
    );
  }

  private sendEvent(rest: string, command: EslCommand): string {
    const uuid = randomUUID();
    this.backend.sendEvent(rest.toUpperCase(), uuid, command);
    return reply(`+OK ${uuid}`);
  }
}

const LOG_LEVELS = ['console', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];

function reply(text: string): string {
  return `Content-Type: command/reply\nReply-Text: ${text}\n\n`;
}

const NOT_FOUND = reply('-ERR command not found');

function apiResponse(result: string): string {
  const text = result === '' ? '-ERR no reply\n' : result;
  return `Content-Type: api/response\nContent-Length: ${Buffer.byteLength(text)}\n\n${text}`;
}

function split(rest: string): { command: string; argument: string } {
  const space = rest.indexOf(' ');
  return space < 0
    ? { command: rest, argument: '' }
    : { command: rest.slice(0, space), argument: rest.slice(space + 1) };
}
