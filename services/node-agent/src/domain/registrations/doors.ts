import { type Node, NodeRole } from '@callmesh/proto/node';

/** A door that is gone for less than this may only have lost its agent, or be on its way back, milliseconds. */
export const AWAY_MS = 30_000;

/** The way to a device as its door wrote it into the Path (kamailio/routes/flows.cfg). */
interface Flow {
  readonly doorId: string;
  /** Over UDP there is no connection that could end with the door's life. */
  readonly connected: boolean;
  /** The life of the door that numbered the connection. */
  readonly life: string;
}

/** Doors as they are registered, and which flows ended with one. */
export class Doors {
  /** Epochs by id; undefined while nobody says who is there. */
  #epochs: ReadonlyMap<string, string> | undefined;
  readonly #away = new Map<string, number>();

  /** Takes the nodes there are, undefined while that is not known. True: it changes whose flows are gone. */
  see(nodes: Iterable<Node> | undefined): boolean {
    const before = this.#epochs;
    const doors = nodes && [...nodes].filter(({ role }) => role === NodeRole.NODE_ROLE_KAMA_WSS);
    this.#epochs = doors && new Map(doors.map(({ id, epoch }) => [id, epoch]));
    // Silence says of nobody that he is away.
    if (!doors) this.#away.clear();
    return textOf(before) !== textOf(this.#epochs);
  }

  /** Whether no call can reach a device along this Path any more: its door began anew, or has been away for long. */
  isGone([hop = '']: readonly string[], now: number): boolean {
    const flow = flowOf(hop);
    if (!flow || !this.#epochs) return false;
    const epoch = this.#epochs.get(flow.doorId);
    if (epoch === undefined) return now - this.#awaySince(flow.doorId, now) >= AWAY_MS;
    this.#away.delete(flow.doorId);
    const life = epoch.split('-')[2];
    return flow.connected && life !== undefined && life !== flow.life;
  }

  #awaySince(doorId: string, now: number): number {
    const since = this.#away.get(doorId) ?? now;
    this.#away.set(doorId, since);
    return since;
  }
}

/** `op` is transport~address~port~our address~our port~connection~life. */
function flowOf(hop: string): Flow | undefined {
  const [, doorId, op] = /^sips?:([^@;]+)@[^;]*;(?:.*;)?op=([^;>]+)/.exec(hop) ?? [];
  const [transport, , , , , , life] = op?.split('~') ?? [];
  return doorId && life ? { doorId, connected: transport !== 'udp', life } : undefined;
}

function textOf(epochs: ReadonlyMap<string, string> | undefined): string {
  return epochs ? JSON.stringify([...epochs].sort()) : '';
}
