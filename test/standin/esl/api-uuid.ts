import type { CallLeg } from '../node/call.ts';
import { parseCause } from '../node/causes.ts';
import { findActions } from '../node/dialplan.ts';
import type { StandinNode } from '../node/node.ts';
import type { Api } from './api.ts';
import { formatEvent } from './event.ts';

const NO_CHANNEL = '-ERR No such channel!\n';

/** A command about one leg, whose uuid is the first word. */
function onLeg(
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

export const uuidCommands: Record<string, Api> = {
  uuid_exists: (node, uuid) => String(node.channels.has(uuid)),
  uuid_kill: onLeg('<uuid> [cause]', ({ channel }, cause) => {
    channel.hangup(parseCause(cause));
    return '+OK\n';
  }),
  uuid_getvar: onLeg('<uuid> <var>', ({ channel }, name) =>
    name === '' ? '-ERR No variable name specified!\n' : (channel.variables.get(name) ?? '_undef_'),
  ),
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
  uuid_park: onLeg('<uuid>', ({ channel }) => {
    channel.unbridge();
    channel.fire('CHANNEL_PARK');
    return '+OK\n';
  }),
  uuid_send_dtmf: onLeg('<uuid> <dtmf_data>', async (leg, digits) => {
    for (const digit of digits.split('@')[0] ?? '') {
      if (leg.session.state !== 'confirmed') break;
      const body = `Signal=${digit}\r\nDuration=250\r\n`;
      await leg.session.request('INFO', { body, contentType: 'application/dtmf-relay' });
    }
    return `+OK ${leg.channel.uuid} sent DTMF ${digits}.\n`;
  }),
  uuid_recv_dtmf: onLeg('<uuid> <dtmf_data>', ({ channel }, digits) => {
    for (const digit of digits.split('@')[0] ?? '') channel.dtmf(digit, 250);
    return `+OK ${channel.uuid} received DTMF ${digits}.\n`;
  }),
  uuid_broadcast: onLeg('<uuid> <path> [aleg|bleg|holdb|both]', () => '+OK Message sent\n'),
  uuid_media: onLeg('[off] <uuid>', () => '+OK Success\n'),
  uuid_record: onLeg('<uuid> [start|stop] <path>', () => '+OK Success\n'),
  uuid_hold: (node, argument) => {
    const off = argument.startsWith('off ');
    const leg = node.legs.get(argument.replace(/^(off|toggle) /, '').split(' ')[0] ?? '');
    if (!leg) return NO_CHANNEL;
    void leg.session.request('INVITE', { body: leg.media.offer(off ? 'sendrecv' : 'sendonly') });
    leg.channel.hold(!off);
    return '+OK Success\n';
  },
  uuid_transfer: onLeg(
    '<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]',
    async (leg, argument, node) => {
      const [destination = ''] = argument.split(' ').filter((word) => !word.startsWith('-'));
      leg.channel.unbridge();
      leg.channel.profile.destination = destination;
      const actions = await findActions(node, leg);
      void node.originator.executor(leg).runAll(actions ?? []);
      return '+OK\n';
    },
  ),
  uuid_bridge: (node, argument) => {
    const [a, b] = argument.split(/\s+/).map((uuid) => node.legs.get(uuid));
    if (!a || !b || a === b) return '-ERR Invalid uuid\n';
    a.channel.unbridge();
    b.channel.unbridge();
    if (!a.channel.answered) a.answer();
    if (!b.channel.answered) b.answer();
    a.channel.bridge(b.channel);
    b.channel.onHangup.push(() => a.channel.hangup('NORMAL_CLEARING'));
    return `+OK ${b.channel.uuid}\n`;
  },
};
