import type { CallLeg } from '../node/call.ts';
import { separate } from '../node/separate.ts';
import type { Api } from './api.ts';
import { NO_CHANNEL, onLeg } from './api-uuid.ts';

/** Commands about what a leg hears, says and records. */
export const mediaCommands: Record<string, Api> = {
  uuid_broadcast: onLeg('<uuid> <path> [aleg|bleg|holdb|both]', (leg, argument, node) => {
    const [path = '', which = 'aleg'] = separate(argument, ' ');
    const other = leg.channel.peer && node.legs.get(leg.channel.peer.uuid);
    const legs = which === 'both' ? [leg, other] : [which === 'bleg' ? other : leg];
    for (const one of legs) if (one) broadcast(one, path);
    return '+OK Message sent\n';
  }),
  uuid_break: onLeg('<uuid> [all]', (leg, which) => {
    leg.stopSounds(which === 'all');
    return '+OK\n';
  }),
  uuid_record: onLeg('<uuid> [start|stop|mask|unmask] <path> [<limit>]', (leg, argument) => {
    const [what = '', path = '', limit = ''] = separate(argument, ' ');
    const done =
      what === 'start' ? leg.recordings.start(path, Number(limit) || 0) : recorded(leg, what, path);
    return done ? '+OK Success\n' : `-ERR Cannot ${what} record session!\n`;
  }),
  uuid_send_dtmf: onLeg('<uuid> <dtmf_data>', async (leg, digits) => {
    const [keys = '', duration] = digits.split('@');
    for (const key of keys) {
      if (leg.session.state !== 'confirmed') break;
      const body = `Signal=${key}\r\nDuration=${duration ?? 250}\r\n`;
      await leg.session.request('INFO', { body, contentType: 'application/dtmf-relay' });
    }
    return `+OK ${leg.channel.uuid} sent DTMF ${digits}.\n`;
  }),
  uuid_recv_dtmf: onLeg('<uuid> <dtmf_data>', (leg, digits) => {
    for (const digit of digits.split('@')[0] ?? '') leg.digit(digit, 250);
    return `+OK ${leg.channel.uuid} received DTMF ${digits}.\n`;
  }),
  uuid_flush_dtmf: onLeg('<uuid>', (leg) => {
    leg.digits = '';
    return '+OK\n';
  }),
  uuid_media: onLeg('[off] <uuid>', () => '+OK Success\n'),
  uuid_hold: (node, argument) => {
    const off = argument.startsWith('off ');
    const leg = node.legs.get(argument.replace(/^(off|toggle) /, '').split(' ')[0] ?? '');
    if (!leg) return NO_CHANNEL;
    void leg.session.request('INVITE', { body: leg.media.offer(off ? 'sendrecv' : 'sendonly') });
    leg.channel.hold(!off);
    return '+OK Success\n';
  },
};

/** "app::arguments", "app!cause::arguments" (then the leg is hung up), or what playback plays. */
function broadcast(leg: CallLeg, path: string): void {
  const [, application = 'playback', data = path] = /^([a-z_]+)(?:![A-Z_]+)?::(.*)$/s.exec(path) ?? [];
  void leg.broadcast(application, data);
}

function recorded(leg: CallLeg, what: string, path: string): boolean {
  if (what === 'stop') return leg.recordings.stop(path);
  return (what === 'mask' || what === 'unmask') && leg.recordings.has(path);
}
