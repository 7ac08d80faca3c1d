import type { CallLeg } from '../node/call.ts';
import { parseCause } from '../node/causes.ts';
import type { StandinNode } from '../node/node.ts';
import { separate } from '../node/separate.ts';
import type { Api } from './api.ts';
import { formatEvent } from './event.ts';

export const NO_CHANNEL = '-ERR No such channel!\n';

/** A command about one leg, whose uuid is the first word. */
export function onLeg(
  usage: string,
  run: (leg: CallLeg, rest: string, node: StandinNode) => string | Promise<string>,
): Api {
  return (node, argument) => {
    const space = argument.indexOf(' ');
    const uuid = space < 0 ? argument : argument.slice(0, space);
    if (uuid === '') return `-USAGE: ${usage}\n`;
    const leg = node.legs.get(uuid);
    return leg ? run(leg, space < 0 ? '' : argument.slice(space + 1).trim(), node) : NO_CHANNEL;
  };
}

/** Commands that ask for or change one leg. */
export const uuidCommands: Record<string, Api> = {
  uuid_exists: (node, uuid) => String(node.channels.has(uuid)),
  uuid_kill: onLeg('<uuid> [cause]', ({ channel }, cause) => {
    channel.hangup(parseCause(cause));
    return '+OK\n';
  }),
  uuid_getvar: onLeg('<uuid> <var>', ({ channel }, name) =>
    name === '' ? '-ERR No variable name specified!\n' : (channel.variables.get(name) ?? '_undef_'),
  ),
  uuid_setvar_multi: onLeg('<uuid> <var>=<value>;<var>=<value>...', ({ channel }, argument) => {
    for (const pair of separate(argument, ';')) {
      const equals = pair.indexOf('=');
      if (equals > 0) channel.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
    return '+OK\n';
  }),
  uuid_setvar: onLeg('<uuid> <var> [value]', ({ channel }, argument) => {
    const [name = '', ...value] = argument.split(' ');
    if (name === '') return '-ERR No variable specified\n';
    if (value.length === 0) channel.variables.delete(name);
    else channel.set(name, value.join(' '));
    return '+OK\n';
  }),
  uuid_dump: onLeg('<uuid> [format]', ({ channel }, format, node) => {
    const event = {
      name: 'CHANNEL_DATA',
      headers: [...node.board.stamp('CHANNEL_DATA'), ...channel.allHeaders()],
    };
    const wanted = format === 'json' || format === 'xml' ? format : 'plain';
    const frame = formatEvent(event, wanted);
    return frame.slice(frame.indexOf('\n\n') + 2);
  }),
  uuid_answer: onLeg('<uuid>', (leg) => {
    leg.answer();
    return '+OK\n';
  }),
  uuid_ring_ready: onLeg('<uuid>', (leg) => {
    leg.ring();
    return '+OK\n';
  }),
  uuid_pre_answer: onLeg('<uuid>', (leg) => {
    leg.earlyMedia();
    return '+OK\n';
  }),
};
