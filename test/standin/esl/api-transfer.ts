import type { CallLeg } from '../node/call.ts';
import { type Action, findActions } from '../node/dialplan.ts';
import { inlineActions } from '../node/inline.ts';
import type { StandinNode } from '../node/node.ts';
import { separate } from '../node/separate.ts';
import type { Api } from './api.ts';
import { onLeg } from './api-uuid.ts';

/** Commands that take a leg from what it does to something else. */
export const transferCommands: Record<string, Api> = {
  uuid_transfer: onLeg(
    '<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]',
    async (leg, argument, node) => {
      const words = separate(argument, ' ');
      const which = words[0]?.startsWith('-') ? words.shift() : '';
      const [extension = '', dialplan = ''] = words;
      const other = leg.channel.peer && node.legs.get(leg.channel.peer.uuid);
      const legs = which === '-both' ? [leg, other] : [which === '-bleg' ? other : leg];
      if (!legs.some(Boolean)) return '-ERR No such channel!\n';
      // Those that go together are nobody's left behind.
      if (which === '-both' && other) other.channel.onAlone = () => {};
      for (const one of legs) if (one) await transfer(node, one, extension, dialplan);
      return '+OK\n';
    },
  ),
  uuid_park: onLeg('<uuid>', (leg) => {
    void leg.begin([{ application: 'park', data: '' }]);
    return '+OK\n';
  }),
  uuid_bridge: (node, argument) => {
    const [a, b] = argument.split(/\s+/).map((uuid) => node.legs.get(uuid));
    if (!a || !b || a === b) return '-ERR Invalid uuid\n';
    void a.begin([{ application: 'uuid_bridge', data: b.channel.uuid }]);
    return `+OK ${b.channel.uuid}\n`;
  },
};

async function transfer(node: StandinNode, leg: CallLeg, extension: string, dialplan: string): Promise<void> {
  const { channel } = leg;
  const stamp = `${Math.floor(Date.now() / 1000)}:${channel.uuid}:bl_xfer:${extension}/default/${dialplan || 'XML'}`;
  channel.set('transfer_history', stamp);
  channel.set('transfer_source', stamp);
  let actions: Action[] | undefined;
  if (dialplan === 'inline') actions = inlineActions(extension);
  else {
    channel.profile.destination = extension;
    actions = await findActions(node, leg);
  }
  void leg.begin(actions ?? []);
}
