import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { FsEvent } from '../esl/event.ts';
import { localStamp, microseconds } from './clock.ts';

export const VERSION = '1.11.2-release';
const HOST = hostname();

/** Where in FreeSWITCH's source an event is fired; some consumers look at it. */
const ORIGIN: Record<string, [file: string, fn: string, line: number]> = {
  CHANNEL_CREATE: ['switch_core_state_machine.c', 'switch_core_session_run', 626],
  CHANNEL_CALLSTATE: ['switch_channel.c', 'switch_channel_perform_set_callstate', 302],
  CHANNEL_STATE: ['switch_channel.c', 'switch_channel_perform_set_running_state', 2433],
  CHANNEL_ANSWER: ['switch_channel.c', 'switch_channel_perform_mark_answered', 3848],
  CHANNEL_PROGRESS: ['switch_channel.c', 'switch_channel_perform_mark_ring_ready_value', 3370],
  CHANNEL_EXECUTE: ['switch_core_session.c', 'switch_core_session_exec', 2952],
  CHANNEL_EXECUTE_COMPLETE: ['switch_core_session.c', 'switch_core_session_exec', 3001],
  CHANNEL_HANGUP: ['switch_channel.c', 'switch_channel_perform_hangup', 3447],
  CHANNEL_HANGUP_COMPLETE: ['switch_core_state_machine.c', 'switch_core_session_reporting_state', 943],
  CHANNEL_DESTROY: ['switch_core_session.c', 'switch_core_session_perform_destroy', 1524],
  CHANNEL_BRIDGE: ['switch_ivr_bridge.c', 'switch_ivr_multi_threaded_bridge', 1689],
  CHANNEL_UNBRIDGE: ['switch_ivr_bridge.c', 'switch_ivr_multi_threaded_bridge', 1803],
  HEARTBEAT: ['switch_core.c', 'send_heartbeat', 95],
  BACKGROUND_JOB: ['mod_event_socket.c', 'api_exec', 1580],
};

/** Identity and event counter of one life of one node; stamps every event it fires. */
export class Switchboard {
  /** New with each start, as FreeSWITCH's: a restarted node is another one. */
  readonly coreUuid: string = randomUUID();
  readonly name: string;
  readonly startedUs: number = microseconds();
  private readonly ipv4: string;
  private sequence = 0;
  private readonly wanted: (name: string) => boolean;
  private readonly publish: (event: FsEvent, subclass?: string) => void;

  constructor(init: {
    name: string;
    ipv4: string;
    wanted: (name: string) => boolean;
    publish: (event: FsEvent, subclass?: string) => void;
  }) {
    this.name = init.name;
    this.ipv4 = init.ipv4;
    this.wanted = init.wanted;
    this.publish = init.publish;
  }

  /** Fires an event; `build` runs only when somebody listens. */
  fire(
    name: string,
    build: () => [string, string][],
    options: { body?: string; subclass?: string } = {},
  ): void {
    this.sequence++;
    if (!this.wanted(name)) return;
    const subclass: [string, string][] = options.subclass ? [['Event-Subclass', options.subclass]] : [];
    const headers = [...this.stamp(name), ...subclass, ...build()];
    const event: FsEvent = { name, headers, ...(options.body === undefined ? {} : { body: options.body }) };
    this.publish(event, options.subclass);
  }

  /** The header fields every event begins with. */
  stamp(name: string): [string, string][] {
    const us = microseconds();
    const ms = Math.floor(us / 1000);
    const [file, fn, line] = ORIGIN[name] ?? ['switch_channel.c', 'switch_channel_event', 1];
    return [
      ['Event-Name', name],
      ['Core-UUID', this.coreUuid],
      ['FreeSWITCH-Hostname', HOST],
      ['FreeSWITCH-Switchname', this.name],
      ['FreeSWITCH-IPv4', this.ipv4],
      ['FreeSWITCH-IPv6', '::1'],
      ['Event-Date-Local', localStamp(ms)],
      ['Event-Date-GMT', new Date(ms).toUTCString()],
      ['Event-Date-Timestamp', String(us)],
      ['Event-Calling-File', file],
      ['Event-Calling-Function', fn],
      ['Event-Calling-Line-Number', String(line)],
      ['Event-Sequence', String(this.sequence)],
    ];
  }
}
