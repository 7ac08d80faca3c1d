import { DesiredState, type LoadReport, type Node, type NodeLifecycle } from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import { type Assessment, assess } from './assess.ts';
import { doubtIn } from './doubt.ts';
import type { Doubt } from './evidence.ts';
import { type Facts, isLate, type Limits, type Sources } from './facts.ts';
import { firstLife, withDown, withRecord, withReport } from './lives.ts';

/** A row: the facts, what they amount to, and since when. */
export interface Row extends Assessment {
  readonly facts: Facts;
}

export interface Change {
  readonly id: string;
  /** The row after the change; undefined when it left the table. */
  readonly row: Row | undefined;
  /** True when status, reason, registration or desired state changed, not the load alone. */
  readonly material: boolean;
  /** Status before; undefined for a row that is new. */
  readonly before: NodeStatus | undefined;
}

interface Wish {
  readonly desired: DesiredState;
  readonly at: number;
}

const ACTIVE: Wish = { desired: DesiredState.DESIRED_STATE_ACTIVE, at: 0 };

/** Everything known of all nodes, and what it amounts to. Times are Unix milliseconds. */
export class NodeTable {
  readonly #limits: Limits & { readonly keepDownMs: number };
  readonly #facts = new Map<string, Facts>();
  readonly #wishes = new Map<string, Wish>();
  readonly #rows = new Map<string, Row>();
  #sources: Sources = { etcdSince: undefined, natsSince: undefined, natsProvenAt: 0 };
  #listed = false;
  #doubt: Doubt = { etcd: false, nats: false };

  constructor(limits: Limits & { readonly keepDownMs: number }) {
    this.#limits = limits;
  }

  get rows(): ReadonlyMap<string, Row> {
    return this.#rows;
  }

  /** True once etcd has told which nodes are registered, and each of these has reported. */
  get isComplete(): boolean {
    const registered = [...this.#facts.values()].filter(({ leaseLostAt }) => leaseLostAt === undefined);
    return this.#listed && registered.every(({ loadAt }) => loadAt !== undefined);
  }

  /** The stores that are themselves to blame for what is missing. */
  get doubt(): Doubt {
    return this.#doubt;
  }

  /** A source answers, or fell silent. */
  source(name: 'etcd' | 'nats', well: boolean, now: number): void {
    const key = name === 'etcd' ? 'etcdSince' : 'natsSince';
    this.#sources = { ...this.#sources, [key]: well ? (this.#sources[key] ?? now) : undefined };
  }

  /** All that was published on NATS before `at` has arrived. */
  proven(at: number): void {
    if (at > this.#sources.natsProvenAt) this.#sources = { ...this.#sources, natsProvenAt: at };
  }

  /** This process itself stood still until `now`: what it missed meanwhile is nobody's fault. */
  woke(now: number): void {
    const { etcdSince, natsSince } = this.#sources;
    this.#sources = {
      ...this.#sources,
      etcdSince: etcdSince === undefined ? undefined : now,
      natsSince: natsSince === undefined ? undefined : now,
    };
  }

  /** A node registered, or registered again; another epoch is another life and starts from nothing. */
  registered(node: Node, now: number): void {
    const known = this.#facts.get(node.id);
    const facts = known ? withRecord(known, node, now) : firstLife(node, this.#wish(node.id), now);
    if (facts) this.#facts.set(node.id, facts);
  }

  /** A node's key is gone. */
  unregistered(id: string, now: number): void {
    this.#change(id, (facts) => ({ ...facts, leaseLostAt: facts.leaseLostAt ?? now }));
  }

  /** All that is registered now; nodes we know and that are not in it lost their key at some moment unseen. */
  listed(nodes: readonly Node[], now: number): void {
    this.#listed = true;
    const present = new Set(nodes.map((node) => node.id));
    const missing = [...this.#facts].filter(
      ([id, facts]) => !present.has(id) && facts.leaseLostAt === undefined,
    );
    for (const node of nodes) this.registered(node, now);
    for (const [id] of missing) this.unregistered(id, now);
    // A list after a gap: the silence of etcd that made it ends now, whatever the health probe saw.
    if (missing.length > 0 && this.#sources.etcdSince !== undefined)
      this.#sources = { ...this.#sources, etcdSince: now };
  }

  /** A load report; late ones and those of an earlier life are ignored. */
  reported(load: LoadReport, now: number): void {
    this.#change(load.nodeId, (facts) => withReport(facts, load, this.#limits.silenceMs / 2, now));
  }

  /** Word from a node's own agent that its server is gone. */
  heard(lifecycle: NodeLifecycle, now: number): void {
    if (lifecycle.observer === 'state' || lifecycle.event !== 'down') return;
    this.#change(lifecycle.nodeId, (facts) =>
      lifecycle.epoch === facts.node.epoch ? withDown(facts, lifecycle.reason, now) : facts,
    );
  }

  /** Nodes that a store misses, and that are not dead yet: who asks them may learn that they live. */
  inQuestion(): Node[] {
    const late = this.#limits.silenceMs / 2;
    return [...this.#facts.values()]
      .filter((facts) => facts.leaseLostAt !== undefined || isLate(facts, this.#sources, late))
      .filter(({ node }) => this.#rows.get(node.id)?.status !== NodeStatus.NODE_STATUS_DOWN)
      .map(({ node }) => node);
  }

  /** A node answered SIP. */
  answered(id: string, epoch: string, now: number): void {
    this.#change(id, (facts) => (facts.node.epoch === epoch ? { ...facts, sipAnsweredAt: now } : facts));
  }

  /** What the operator wants of a node, known or not. */
  desired(id: string, desired: DesiredState, now: number): void {
    if (this.#wish(id).desired === desired) return;
    const wish = { desired, at: now };
    this.#wishes.set(id, wish);
    this.#change(id, (facts) => ({ ...facts, desired, desiredAt: now }));
  }

  /**
   * Desired states as etcd lists them. A wish that is not in it any more was lost by etcd, as
   * nobody takes one back by deleting it: it holds, and is returned to be written again.
   */
  desiredListed(all: ReadonlyMap<string, DesiredState>, now: number): Map<string, DesiredState> {
    for (const [id, desired] of all) this.desired(id, desired, now);
    const lost = [...this.#wishes].filter(([id, { desired }]) => !all.has(id) && desired !== ACTIVE.desired);
    return new Map(lost.map(([id, { desired }]) => [id, desired]));
  }

  /** What is wanted of a node, known or not. */
  desiredOf(id: string): DesiredState {
    return this.#wish(id).desired;
  }

  /** Judges every node anew and returns what changed since the last time. */
  tick(now: number): Change[] {
    const sources = this.#sources;
    const nodes = [...this.#facts].map(([id, facts]) => ({ id, facts, before: this.#lastOf(facts) }));
    this.#doubt = doubtIn(nodes, sources, this.#limits);
    const changes: Change[] = [];
    for (const { id, facts, before } of nodes) {
      const what = { facts, sources, doubt: this.#doubt, limits: this.#limits, now };
      const row: Row = { ...assess(what, before), facts };
      const change = this.#isForgotten(row, now) ? this.#remove(id) : this.#put(id, row);
      if (change) changes.push(change);
    }
    return changes;
  }

  /** What to keep on disk. */
  dump(): Row[] {
    return [...this.#rows.values()];
  }

  /** Puts back what was kept; all of it is as last known until the nodes say otherwise. */
  restore(kept: readonly Row[]): void {
    for (const row of kept) {
      const { node, desired, desiredAt } = row.facts;
      this.#facts.set(node.id, row.facts);
      this.#rows.set(node.id, row);
      this.#wishes.set(node.id, { desired, at: desiredAt });
    }
  }

  #wish(id: string): Wish {
    return this.#wishes.get(id) ?? ACTIVE;
  }

  #change(id: string, change: (facts: Facts) => Facts): void {
    const facts = this.#facts.get(id);
    if (facts) this.#facts.set(id, change(facts));
  }

  /** What was said of the same life last. */
  #lastOf({ node }: Facts): Row | undefined {
    const row = this.#rows.get(node.id);
    return row?.facts.node.epoch === node.epoch ? row : undefined;
  }

  /** One that is still registered stays: nothing would tell of its return. */
  #isForgotten({ status, since, facts }: Row, now: number): boolean {
    const gone = status === NodeStatus.NODE_STATUS_DOWN && facts.leaseLostAt !== undefined;
    return gone && now - since > this.#limits.keepDownMs;
  }

  #remove(id: string): Change {
    const before = this.#rows.get(id)?.status;
    this.#facts.delete(id);
    this.#rows.delete(id);
    return { id, row: undefined, material: true, before };
  }

  #put(id: string, row: Row): Change | undefined {
    const before = this.#rows.get(id);
    this.#rows.set(id, row);
    const material = !before || isMaterial(before, row);
    if (!material && before.facts.load === row.facts.load) return undefined;
    return { id, row, material, before: before?.status };
  }
}

function isMaterial(before: Row, after: Row): boolean {
  return (
    before.status !== after.status ||
    before.reason !== after.reason ||
    before.facts.node !== after.facts.node ||
    before.facts.desired !== after.facts.desired ||
    before.evidence.length !== after.evidence.length
  );
}
