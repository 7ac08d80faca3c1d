import { randomUUID } from 'node:crypto';
import type { CallLeg } from './call.ts';
import type { StandinNode } from './node.ts';
import { Signal } from './signal.ts';

/** A leg in a room. */
export interface Member {
  readonly id: number;
  readonly leg: CallLeg;
  /** The room ends when this one leaves. */
  readonly ends: boolean;
  readonly joined: number;
  /** Told to go. */
  readonly kicked: Signal;
  muted: boolean;
}

/** A conference room of mod_conference: its members and its events; nobody is mixed. */
export class Room {
  readonly name: string;
  readonly uuid: string = randomUUID();
  readonly members = new Map<number, Member>();
  private readonly node: StandinNode;
  private next = 1;

  constructor(node: StandinNode, name: string) {
    this.node = node;
    this.name = name;
    this.tell('conference-create');
  }

  add(leg: CallLeg, flags: readonly string[]): Member {
    const member: Member = {
      id: this.next++,
      leg,
      ends: flags.includes('endconf'),
      joined: Date.now(),
      kicked: new Signal(),
      muted: flags.includes('mute'),
    };
    this.members.set(member.id, member);
    const { channel } = leg;
    channel.set('conference_name', this.name);
    channel.set('conference_member_id', String(member.id));
    channel.set('conference_uuid', this.uuid);
    this.tell('add-member', member);
    return member;
  }

  remove(member: Member): void {
    if (!this.members.delete(member.id)) return;
    this.tell('del-member', member);
    if (member.ends) for (const other of this.members.values()) other.kicked.fire();
    if (this.members.size > 0) return;
    this.node.rooms.delete(this.name);
    this.tell('conference-destroy');
  }

  mute(member: Member, muted: boolean): void {
    member.muted = muted;
    this.tell(muted ? 'mute-member' : 'unmute-member', member);
  }

  kick(member: Member): void {
    this.tell('kick-member', member);
    member.kicked.fire();
  }

  private tell(action: string, member?: Member): void {
    const room: [string, string][] = [
      ['Conference-Name', this.name],
      ['Conference-Size', String(this.members.size)],
      ['Conference-Profile-Name', 'default'],
      ['Conference-Unique-ID', this.uuid],
    ];
    const about: [string, string][] = member
      ? [
          ...member.leg.channel.allHeaders(),
          ['Member-ID', String(member.id)],
          ['Speak', String(!member.muted)],
        ]
      : [];
    this.node.board.fire('CUSTOM', () => [...room, ...about, ['Action', action]], {
      subclass: 'conference::maintenance',
    });
  }
}

/** The application: joins "room@profile+flags{mute|endconf}" and stays until kicked or `over`. */
export async function confer(node: StandinNode, leg: CallLeg, data: string, over: Signal): Promise<void> {
  const [, name = '', flags = ''] = /^([^@+]+)[^+]*(?:\+.*?flags\{([^}]*)\})?/.exec(data) ?? [];
  const room = node.rooms.get(name) ?? new Room(node, name);
  node.rooms.set(name, room);
  const member = room.add(leg, flags.split('|'));
  // A member that hangs up leaves before its end is told.
  leg.channel.onEnding.push(() => room.remove(member));
  const off = over.on(() => member.kicked.fire());
  await member.kicked.wait();
  off();
  room.remove(member);
}
