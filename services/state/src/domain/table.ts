import {
  BackendState,
  DesiredState,
  type LoadReport,
  type Node,
  type NodeLifecycle,
} from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import { type Assessment, assess } from './assess.ts';
import type { Facts, Limits, Sources } from './facts.ts';

/** A row: the facts, what they amount to, and since when. */
export interface Row extends Assessment {
  readonly facts: Facts;
  /** When the status became what it is, Unix milliseconds. */
  readonly since: number;
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

/** Everything known of all nodes, and what it amounts to. */
export class NodeTable {
  readonly #limits: Limits & { readonly keepDownMs: number };
  readonly #facts = new Map<string, Facts>();
  readonly #desired = new Map<string, DesiredState>();
  #rows = new Map<string, Row>();
  #etcdSince: number | undefined;
  #natsSince: number | undefined;

  constructor(limits: Limits & { readonly keepDownMs: number }) {
    this.#limits = limits;
  }

  get rows(): ReadonlyMap<string, Row> {
    return this.#rows;
  }

  /** A source answers, or fell silent. */
  source(name: 'etcd' | 'nats', well: boolean, now: number): void {
    if (name === 'etcd') this.#etcdSince = well ? (this.#etcdSince ?? now) : undefined;
    else this.#natsSince = well ? (this.#natsSince ?? now) : undefined;
  }

  /** A node registered, or registered again; another epoch is another life and starts from nothing. */
  registered(node: Node, now: number): void {
    const known = this.#facts.get(node.id);
    const sameLife = known?.node.epoch === node.epoch;
    this.#facts.set(node.id, {
      seenAt: sameLife ? known.seenAt : now,
      load: sameLife ? known.load : undefined,
      loadAt: sameLife ? known.loadAt : undefined,
      // It registers again after it said that its server was gone: the connection is back.
      reportedDown: sameLife && known.leaseLostAt === undefined ? known.reportedDown : undefined,
      node,
      leaseLostAt: undefined,
      desired: this.#desired.get(node.id) ?? DesiredState.DESIRED_STATE_ACTIVE,
    });
  }

  /** A node's key is gone. */
  unregistered(id: string, now: number): void {
    this.#change(id, (facts) => ({ ...facts, leaseLostAt: facts.leaseLostAt ?? now }));
  }

  /** All that is registered now; nodes we know and that are not in it lost their key at some moment unseen. */
  listed(nodes: readonly Node[], now: number): void {
    for (const node of nodes) this.registered(node, now);
    const present = new Set(nodes.map((node) => node.id));
    // A list after a gap: the silence of etcd that made it ends now, whatever the health probe saw.
    if (this.#facts.size > present.size && this.#etcdSince !== undefined) this.#etcdSince = now;
    for (const id of this.#facts.keys()) if (!present.has(id)) this.unregistered(id, now);
  }

  /** A load report; late ones and those of an earlier life are ignored. */
  reported(load: LoadReport, now: number): void {
    this.#change(load.nodeId, (facts) => {
      if (load.epoch !== facts.node.epoch) return this.#nextLife(facts, load, now);
      if (facts.load && load.seq < facts.load.seq && load.seq > 1) return facts;
      const down = load.backend === BackendState.BACKEND_STATE_DOWN;
      const reportedDown = down ? (facts.reportedDown ?? { at: now, reason: load.backendReason }) : undefined;
      return { ...facts, load, loadAt: now, reportedDown };
    });
  }

  /** Word from a node's own agent that its server is gone, or back. */
  heard(lifecycle: NodeLifecycle, now: number): void {
    if (lifecycle.observer === 'state') return;
    this.#change(lifecycle.nodeId, (facts) => {
      if (lifecycle.event !== 'down' || lifecycle.epoch !== facts.node.epoch) return facts;
      return { ...facts, reportedDown: facts.reportedDown ?? { at: now, reason: lifecycle.reason } };
    });
  }

  /** What the operator wants of a node, known or not. */
  desired(id: string, desired: DesiredState): void {
    if (desired === DesiredState.DESIRED_STATE_ACTIVE) this.#desired.delete(id);
    else this.#desired.set(id, desired);
    this.#change(id, (facts) => ({ ...facts, desired }));
  }

  /** Desired states as listed; what is not in it is wanted active. */
  desiredListed(all: ReadonlyMap<string, DesiredState>): void {
    for (const id of [...this.#desired.keys()])
      if (!all.has(id)) this.desired(id, DesiredState.DESIRED_STATE_ACTIVE);
    for (const [id, desired] of all) this.desired(id, desired);
  }

  /** Judges every node anew and returns what changed since the last time. */
  tick(now: number): Change[] {
    const sources = this.#sources(now);
    const rows = new Map<string, Row>();
    const changes: Change[] = [];
    for (const [id, facts] of this.#facts) {
      const before = this.#rows.get(id);
      const verdict = assess(facts, sources, this.#limits, now);
      const since = before?.status === verdict.status ? before.since : now;
      if (verdict.status === NodeStatus.NODE_STATUS_DOWN && now - since > this.#limits.keepDownMs) {
        this.#facts.delete(id);
        changes.push({ id, row: undefined, material: true, before: before?.status });
        continue;
      }
      const row: Row = { ...verdict, facts, since };
      rows.set(id, row);
      const material = !before || isMaterial(before, row);
      if (material || before?.facts.load !== facts.load)
        changes.push({ id, row, material, before: before?.status });
    }
    this.#rows = rows;
    return changes;
  }

  /** What to keep on disk. */
  dump(): Facts[] {
    return [...this.#facts.values()];
  }

  /** Puts back what was kept; the registrations are as last known until etcd says otherwise. */
  restore(kept: readonly Facts[]): void {
    for (const facts of kept) this.#facts.set(facts.node.id, facts);
  }

  /** A report of another life: the agent's word is newer than etcd's while etcd is silent. */
  #nextLife(facts: Facts, load: LoadReport, now: number): Facts {
    if (this.#etcdSince !== undefined || load.epoch === '') return facts;
    return {
      ...facts,
      node: { ...facts.node, epoch: load.epoch },
      seenAt: now,
      load,
      loadAt: now,
      reportedDown: undefined,
    };
  }

  #change(id: string, change: (facts: Facts) => Facts): void {
    const facts = this.#facts.get(id);
    if (facts) this.#facts.set(id, change(facts));
  }

  #sources(now: number): Sources {
    const all = [...this.#facts.values()];
    return {
      etcdSince: this.#etcdSince,
      natsSince: this.#natsSince,
      somebodyReports: all.some(
        ({ loadAt }) => loadAt !== undefined && now - loadAt <= this.#limits.silenceMs,
      ),
      registered: all.filter(({ leaseLostAt }) => leaseLostAt === undefined).length,
    };
  }
}

function isMaterial(before: Row, after: Row): boolean {
  return (
    before.status !== after.status ||
    before.facts.node !== after.facts.node ||
    before.facts.desired !== after.facts.desired ||
    before.evidence.length !== after.evidence.length
  );
}
