import { join } from 'node:path';
import type { NodeRole } from '@callmesh/proto/node';
import type { App, Component, Etcd } from '@callmesh/runtime';
import { type Desired, desiredState, type Known } from '../../domain/kamailio/desired.ts';
import { Directory } from '../../domain/kamailio/directory.ts';
import type { NodeRow } from '../../domain/kamailio/node-row.ts';
import { type Absences, rowsFromEtcd, withAbsent } from '../../domain/kamailio/node-view.ts';
import type { SetIds } from '../../domain/kamailio/set-ids.ts';
import { EtcdSource } from '../sources/etcd-source.ts';
import { StateSource } from '../sources/state-source.ts';
import { TenantSource } from '../sources/tenant-source.ts';
import { type Memory, readMemory, writeMemory } from './memory-file.ts';

/** Targets of the services an edge learns from. */
export interface KnowledgeTargets {
  readonly state: string;
  readonly tenantRegistry: string;
}

/**
 * All an edge knows, from whoever answers: the state service before etcd, both
 * before what was last known, which is kept on disk.
 */
export class Knowledge implements Component {
  readonly name = 'knowledge';
  readonly #app: App;
  readonly #file: string;
  readonly #role: NodeRole;
  readonly #parts: Component[];
  readonly #etcd: EtcdSource;
  readonly #state: StateSource;
  readonly #tenants: TenantSource;
  readonly #absences: Absences = new Map();
  #nodes: readonly NodeRow[];
  #setIds: SetIds;
  readonly #remembers: boolean;
  #heardNodes = false;
  #stored: Desired | undefined;
  /** Made from the sources as they are; undefined after a change. */
  #desired: Desired | undefined;

  private constructor(
    app: App,
    etcd: Etcd,
    targets: KnowledgeTargets,
    role: NodeRole,
    memory: Memory,
    onChanged: () => void,
  ) {
    const onChange = () => {
      this.#desired = undefined;
      onChanged();
    };
    this.#app = app;
    this.#file = fileOf(app);
    this.#role = role;
    this.#nodes = memory.nodes;
    this.#setIds = memory.setIds;
    this.#remembers = memory.known;
    const directory = new Directory();
    for (const resource of memory.resources) directory.put(resource);
    this.#etcd = new EtcdSource(app, etcd, memory.policies, onChange);
    this.#state = new StateSource(app, targets.state, { onChange, onRemoved: (id) => this.#forget(id) });
    this.#tenants = new TenantSource(app, targets.tenantRegistry, directory, onChange);
    this.#parts = [this.#etcd, this.#state, this.#tenants];
  }

  static async open(
    app: App,
    etcd: Etcd,
    targets: KnowledgeTargets,
    role: NodeRole,
    onChange: () => void,
  ): Promise<Knowledge> {
    return new Knowledge(app, etcd, targets, role, await readMemory(fileOf(app)), onChange);
  }

  async start(): Promise<void> {
    for (const part of this.#parts) await part.start?.();
  }

  async stop(): Promise<void> {
    for (const part of this.#parts) await part.stop?.();
  }

  /** Which sources were heard of, in this life or, by the file, in an earlier one. */
  get known(): Known {
    return {
      nodes: this.#remembers || this.#heardNodes,
      tenants: this.#remembers || this.#tenants.heard,
      policies: this.#remembers || this.#etcd.policies.length > 0,
    };
  }

  /** What Kamailio is to have now; the same object as long as nothing changed. */
  desired(now: number): Desired {
    if (this.#desired && this.#nodesChanged(now)) this.#desired = undefined;
    this.#desired ??= this.#make(now);
    return this.#desired;
  }

  /** Missing nodes change by time alone: suspect, then down, then forgotten. */
  #nodesChanged(now: number): boolean {
    if (this.#absences.size === 0) return false;
    return JSON.stringify(this.#currentNodes(now)) !== JSON.stringify(this.#nodes);
  }

  #make(now: number): Desired {
    this.#nodes = this.#currentNodes(now);
    const desired = desiredState({
      role: this.#role,
      nodes: this.#nodes,
      directory: this.#tenants.directory,
      policies: this.#etcd.policies,
      setIds: this.#setIds,
    });
    this.#setIds = desired.setIds;
    return desired;
  }

  /** Stores what is known, if it changed. A number given to a group must be on disk before Kamailio hears it. */
  async store(desired: Desired): Promise<void> {
    if (this.#stored === desired) return;
    const { nodes, tenants } = this.known;
    if (!nodes || !tenants) return;
    const memory: Memory = {
      known: true,
      nodes: this.#nodes,
      resources: this.#tenants.directory.resources(),
      policies: this.#etcd.policies,
      setIds: this.#setIds,
    };
    try {
      await writeMemory(this.#file, memory);
      this.#stored = desired;
      this.#app.degraded('state-dir', null);
    } catch (error) {
      this.#app.degraded('state-dir', (error as Error).message);
    }
  }

  #currentNodes(now: number): NodeRow[] {
    const fromState = this.#state.rows;
    const fromEtcd = this.#etcd.view;
    const current = fromState ?? (fromEtcd && rowsFromEtcd(fromEtcd));
    this.#heardNodes ||= current !== undefined;
    return current ? withAbsent(current, this.#nodes, this.#absences, now) : [...this.#nodes];
  }

  #forget(nodeId: string): void {
    this.#nodes = this.#nodes.filter(({ node }) => node.id !== nodeId);
    this.#absences.delete(nodeId);
  }
}

function fileOf(app: App): string {
  return join(app.config.state_dir, 'edge.json');
}
