import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallEvent } from '@callmesh/proto/call';
import { NodeRole } from '@callmesh/proto/node';
import type { App, CallPublisher } from '@callmesh/runtime';
import { metrics } from '@opentelemetry/api';
import { vi } from 'vitest';
import type { Announcer } from '../../src/adapters/announcer.ts';
import { Commander } from '../../src/adapters/freeswitch/commander.ts';
import { FreeSwitch } from '../../src/adapters/freeswitch/freeswitch.ts';
import { Waits } from '../../src/adapters/freeswitch/waits.ts';
import { accepting, plainEvent, reply, response, ScriptedEsl } from '../scripted-esl.ts';

/** What is answered to an API command; undefined: nothing, ever. */
type Answer = (command: string) => string | undefined;

const NODE = { id: 'fs-1', role: NodeRole.NODE_ROLE_MEDIA, group: 'a', sipUri: '', sipSources: [] };

/** As much of a FreeSWITCH as an agent asks for, its channels in the hands of a test. */
export class ScriptedSwitch {
  readonly channels = new Map<string, Record<string, string>>();
  /** Commands that were asked for, but the agent's own housekeeping. */
  readonly asked: string[] = [];
  epoch = 'aaaaaaaa-0000-4000-8000-000000000000';
  /** Answers to commands on legs; "+OK" by default. */
  answer: Answer = () => '+OK';
  readonly #esl: ScriptedEsl;
  #sequence = 100;
  /** What came while it was frozen, in order. */
  #frozen: string[] | undefined;

  private constructor(esl: ScriptedEsl) {
    this.#esl = esl;
    esl.script = accepting((line) => this.#handle(line));
  }

  static async start(): Promise<ScriptedSwitch> {
    return new ScriptedSwitch(await ScriptedEsl.start(() => undefined));
  }

  get port(): number {
    return this.#esl.port;
  }

  /** A channel event, with all the channel's data. */
  tell(name: string, uuid: string, more: Record<string, string> = {}): void {
    const channel = this.channels.get(uuid) ?? {};
    const event = { 'Event-Name': name, 'Event-Sequence': String(this.#sequence++), 'Unique-ID': uuid };
    this.#esl.peer.send(plainEvent({ ...event, ...channel, ...more }));
  }

  /** A call came in. */
  create(uuid: string, more: Record<string, string> = {}): void {
    this.channels.set(uuid, more);
    this.tell('CHANNEL_CREATE', uuid);
  }

  destroy(uuid: string): void {
    this.tell('CHANNEL_HANGUP_COMPLETE', uuid, { 'Hangup-Cause': 'NORMAL_CLEARING' });
    this.tell('CHANNEL_DESTROY', uuid);
    this.channels.delete(uuid);
  }

  /** Takes what is sent and does nothing about it, as a process does that was stopped; `thaw` does it all. */
  freeze(): void {
    this.#frozen = [];
  }

  thaw(): void {
    const lines = this.#frozen ?? [];
    this.#frozen = undefined;
    for (const line of lines) this.#esl.peer.send(this.#handle(line) ?? '');
  }

  /** Cuts the connection; the agent comes back by itself. */
  cut(): void {
    this.#esl.peer.close();
  }

  async stop(): Promise<void> {
    await this.#esl.stop();
  }

  #handle(line: string): string | undefined {
    if (this.#frozen) {
      this.#frozen.push(line);
      return undefined;
    }
    const [, kind, command = '', job] = /^(api|bgapi) (.*?)(?:\nJob-UUID: (.*))?$/s.exec(line) ?? [];
    const body = this.#housekeeping(command) ?? this.#command(command);
    if (kind === 'api') return body === undefined ? undefined : response(body);
    const accepted = reply(`+OK Job-UUID: ${job}`);
    if (body === undefined) return accepted;
    const done = {
      'Event-Name': 'BACKGROUND_JOB',
      'Event-Sequence': String(this.#sequence++),
      'Job-UUID': job!,
    };
    return accepted + plainEvent(done, body);
  }

  #command(command: string): string | undefined {
    this.asked.push(command);
    return this.answer(command);
  }

  #housekeeping(command: string): string | undefined {
    const [name, uuid = ''] = command.split(' ');
    if (command === 'global_getvar core_uuid') return this.epoch;
    if (name === 'global_getvar') return '-ERR no reply\n';
    if (name === 'version') return '1.11.2';
    if (command === 'fsctl max_sessions') return '100';
    if (command === 'fsctl pause_check inbound') return 'false';
    if (name === 'show')
      return JSON.stringify({ row_count: 1, rows: [...this.channels.keys()].map((one) => ({ uuid: one })) });
    if (name === 'uuid_exists')
      return this.answer(command) === undefined ? undefined : String(this.channels.has(uuid));
    if (name === 'uuid_dump')
      return JSON.stringify({
        'Event-Name': 'CHANNEL_DATA',
        'Event-Sequence': String(this.#sequence++),
        'Unique-ID': uuid,
        ...this.channels.get(uuid),
      });
    return undefined;
  }
}

/** An agent's FreeSWITCH side with its commander, over a scripted switch; what it tells is kept. */
export class ScriptedAgent {
  readonly dir: string;
  readonly told: CallEvent[] = [];
  readonly freeswitch: FreeSwitch;
  readonly commander: Commander;

  private constructor(port: number, dir: string) {
    this.dir = dir;
    const log = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
    const meter = metrics.getMeter('callmesh');
    const app = { degraded: () => {}, log, meter } as unknown as App;
    const waits = new Waits();
    const address = { host: '127.0.0.1', port, password: 'secret' };
    this.freeswitch = new FreeSwitch(
      app,
      { ...NODE, zone: '', weight: 1, maxSessions: 0 },
      address,
      join(dir, 'legs.jsonl'),
      {
        announcer: { up: () => {}, down: () => {} } as unknown as Announcer,
        calls: { publish: (event: CallEvent) => void this.told.push(event) } as unknown as CallPublisher,
        onLoad: () => {},
        left: async () => new Set(),
        isGivenUp: async () => false,
        attendants: [waits],
      },
    );
    this.commander = new Commander(this.freeswitch, waits, join(dir, 'commands.jsonl'));
  }

  /** With the folder of an earlier one it is that one, restarted. */
  static async start(port: number, dir = mkdtempSync(join(tmpdir(), 'agent-'))): Promise<ScriptedAgent> {
    const agent = new ScriptedAgent(port, dir);
    await agent.freeswitch.start();
    await vi.waitFor(() => {
      if (agent.freeswitch.epoch === undefined) throw new Error('not connected yet');
    });
    return agent;
  }

  /** Ends as a process does that is killed, but that what was due to be written is. */
  async end(): Promise<void> {
    await this.freeswitch.stop();
    this.commander.close();
  }

  async remove(): Promise<void> {
    await this.end();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
