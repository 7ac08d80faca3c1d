import { hash32 } from './hash.ts';
import type { Ledger, NodeLoad } from './ledger.ts';
import type { NodeRecord, Placement, Role } from './model.ts';

/** A node as decisions see it: record and placement merged, load kept current. */
export interface NodeRow {
  readonly id: string;
  readonly role: NodeRecord['role'];
  readonly group: string;
  readonly sipUri: string;
  /** "ip:port" of the SIP URI. */
  readonly address: string;
  /** Every "ip:port" it sends from. */
  readonly sources: readonly string[];
  readonly zone: string;
  readonly weight: number;
  /** Most channels as configured; 0 means no limit. */
  readonly maxSessions: number;
  readonly epoch: string;
  readonly status: NodeRecord['status'];
  readonly load: NodeLoad;
  /** The node's part in rendezvous hashing. */
  readonly seed: number;
}

const NONE: readonly NodeRow[] = [];

/** Every node the mesh knows of, by id, by address and by role and group. */
export class NodeTable {
  /** False while nobody tells of changes: then an unknown epoch proves nothing. */
  current = true;
  readonly #rows = new Map<string, NodeRow>();
  readonly #records = new Map<string, NodeRecord>();
  readonly #groups = new Map<string, readonly NodeRow[]>();
  readonly #addresses = new Map<string, NodeRow>();
  readonly #ledger: Ledger;
  readonly #placement: (nodeId: string) => Placement | undefined;

  constructor(ledger: Ledger, placement: (nodeId: string) => Placement | undefined) {
    this.#ledger = ledger;
    this.#placement = placement;
  }

  get size(): number {
    return this.#rows.size;
  }

  records(): IterableIterator<NodeRecord> {
    return this.#records.values();
  }

  record(id: string): NodeRecord | undefined {
    return this.#records.get(id);
  }

  rows(): IterableIterator<NodeRow> {
    return this.#rows.values();
  }

  get(id: string): NodeRow | undefined {
    return this.#rows.get(id);
  }

  /** The node that sends and receives SIP at "ip:port". */
  at(address: string): NodeRow | undefined {
    return this.#addresses.get(address);
  }

  /** Nodes of a group in order of id. */
  inGroup(role: Role, group: string): readonly NodeRow[] {
    return this.#groups.get(`${role} ${group}`) ?? NONE;
  }

  put(record: NodeRecord): void {
    const before = this.#records.get(record.id);
    if (before && before.epoch !== record.epoch) this.#ledger.forget(record.id, before.epoch);
    this.#records.set(record.id, record);
    this.refresh(record.id);
  }

  remove(id: string): void {
    const record = this.#records.get(id);
    if (record) this.#ledger.forget(id, record.epoch);
    this.#records.delete(id);
    this.refresh(id);
  }

  /** Makes the row of a node anew after its record or placement changed. */
  refresh(id: string): void {
    const before = this.#rows.get(id);
    const record = this.#records.get(id);
    const row = record && this.#row(record);
    if (row) this.#rows.set(id, row);
    else this.#rows.delete(id);
    for (const source of before?.sources ?? [])
      if (this.#addresses.get(source) === before) this.#addresses.delete(source);
    for (const source of row?.sources ?? []) this.#addresses.set(source, row!);
    if (before) this.#regroup(before, undefined);
    if (row) this.#regroup(row, row);
  }

  #row(record: NodeRecord): NodeRow {
    const placement = this.#placement(record.id);
    const address = addressOf(record.sipUri);
    return {
      id: record.id,
      role: record.role,
      group: placement?.groupId || record.group,
      sipUri: record.sipUri,
      address,
      sources: [address, ...record.sources],
      zone: record.zone,
      weight: placement?.weight || record.weight || 1,
      maxSessions: placement?.maxSessions || record.maxSessions,
      epoch: record.epoch,
      status: record.status,
      load: this.#ledger.load(record.id, record.epoch),
      seed: hash32(record.id),
    };
  }

  #regroup(place: NodeRow, row: NodeRow | undefined): void {
    const key = `${place.role} ${place.group}`;
    const others = (this.#groups.get(key) ?? NONE).filter(({ id }) => id !== place.id);
    const rows = row ? [...others, row].sort((a, b) => (a.id < b.id ? -1 : 1)) : others;
    if (rows.length > 0) this.#groups.set(key, rows);
    else this.#groups.delete(key);
  }
}

/** "ip:port" of a node's SIP URI, 5060 where it names none. */
function addressOf(sipUri: string): string {
  const [, host = '', port = '5060'] =
    /^sips?:(?:[^@;?]*@)?(\[[^\]]+\]|[^:;?]+)(?::(\d+))?/i.exec(sipUri) ?? [];
  return `${host}:${port}`;
}

/** Most channels a node takes: the smaller of what is configured and what it says itself; 0 means no limit. */
export function limitOf(node: NodeRow): number {
  const { maxSessions, load } = node;
  if (maxSessions === 0 || load.max === 0) return maxSessions || load.max;
  return Math.min(maxSessions, load.max);
}

/** Sessions counted on a node: reported plus just assigned. */
export function countOf(node: NodeRow): number {
  return node.load.sessions + node.load.pending;
}
