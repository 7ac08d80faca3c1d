import { Freshness } from './adapters/freshness.ts';
import { AgentLegs } from './domain/agent-legs.ts';
import { BindingMemory } from './domain/bindings.ts';
import { Directory } from './domain/directory.ts';
import { Ledger } from './domain/ledger.ts';
import { NodeTable } from './domain/node-table.ts';
import type { Snapshot } from './domain/snapshot.ts';
import { Usage } from './domain/usage.ts';

/** All this instance knows of the mesh: the snapshot that decisions read, kept current by adapters. */
export class Mesh implements Snapshot {
  readonly ledger = new Ledger();
  readonly directory = new Directory();
  readonly nodes: NodeTable;
  readonly usage = new Usage();
  readonly agents = new AgentLegs();
  readonly bindings: BindingMemory;
  readonly premiumPrefixes: readonly string[];
  readonly turns = new Map<string, string>();
  readonly freshness: Freshness;
  /** True once tenants and nodes were told, now or before a restart; before that nobody can be refused as unknown. */
  known = false;
  /** Told when tenants or nodes change, so that they can be saved. */
  changed: () => void = () => {};

  constructor(options: {
    readonly bindingLimit: number;
    readonly now: number;
    readonly premiumPrefixes: readonly string[];
  }) {
    this.premiumPrefixes = options.premiumPrefixes;
    this.nodes = new NodeTable(this.ledger, (id) => this.directory.placement(id));
    this.directory.onPlacement = (id) => this.nodes.refresh(id);
    this.bindings = new BindingMemory(options.bindingLimit);
    this.freshness = new Freshness(options.now);
    this.nodes.current = false;
    this.usage.silentSince = options.now;
  }
}
