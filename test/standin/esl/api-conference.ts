import type { Member, Room } from '../node/conference.ts';
import type { StandinNode } from '../node/node.ts';

/** `conference <room> json_list|list|count|kick|hup|mute|unmute <member id|all|last>`. */
export function conference(node: StandinNode, argument: string): string {
  const [name = '', what = '', which = ''] = argument.split(/\s+/);
  if (name === 'json_list') return JSON.stringify([...node.rooms.values()].map(asJson));
  const room = node.rooms.get(name);
  if (!room) return `-ERR Conference ${name} not found\n`;
  if (what === 'json_list') return JSON.stringify([asJson(room)]);
  if (what === 'count') return `${room.members.size}`;
  if (what === 'list') return [...room.members.values()].map((member) => `${asText(member)}\n`).join('');
  const members = chosen(room, which);
  if (members.length === 0) return `-ERR Non-Existant ID ${which}\n`;
  for (const member of members) {
    if (what === 'kick' || what === 'hup') room.kick(member);
    else if (what === 'mute' || what === 'unmute') room.mute(member, what === 'mute');
    else return `-ERR Conference command '${what}' not found.\n`;
  }
  return `+OK ${what === 'kick' ? 'kicked' : what} ${which}\n`;
}

function chosen(room: Room, which: string): Member[] {
  const members = [...room.members.values()];
  if (which === 'all') return members;
  if (which === 'last') return members.slice(-1);
  return members.filter(({ id }) => String(id) === which);
}

function asText({ id, leg, muted }: Member): string {
  const { channel } = leg;
  const { callerName, callerNumber } = channel.profile;
  return [id, channel.name, channel.uuid, callerName, callerNumber, muted ? 'hear' : 'hear|speak'].join(';');
}

function asJson(room: Room) {
  return {
    conference_name: room.name,
    member_count: room.members.size,
    conference_uuid: room.uuid,
    rate: 8000,
    running: true,
    members: [...room.members.values()].map((member) => ({
      type: 'caller',
      id: member.id,
      flags: { can_hear: true, can_speak: !member.muted, end_conference: member.ends },
      uuid: member.leg.channel.uuid,
      caller_id_name: member.leg.channel.profile.callerName,
      caller_id_number: member.leg.channel.profile.callerNumber,
      join_time: Math.floor((Date.now() - member.joined) / 1000),
    })),
  };
}
