import { Counted, FirstOf, Multi, own } from './keyed.ts';
import type {
  Agent,
  Did,
  Direction,
  FunctionName,
  Group,
  Link,
  NumberRule,
  Party,
  Placement,
  Role,
  Tenant,
  Trunk,
} from './model.ts';
import { TrunkIndex } from './trunk-index.ts';

interface Kinds {
  tenant: Tenant;
  group: Group;
  placement: Placement;
  link: Link;
  agent: Agent;
  did: Did;
  trunk: Trunk;
  rule: NumberRule;
}
export type DirectoryKind = keyof Kinds;
/** One thing the tenant registry keeps, as far as decisions need it. */
export type DirectoryItem = {
  [K in DirectoryKind]: { readonly kind: K; readonly value: Kinds[K] };
}[DirectoryKind];

/** Tenant of links that hold for every tenant without one. */
export const PLATFORM = '*';

/** The id an item is kept under. */
export function idOf(item: DirectoryItem): string {
  return item.kind === 'did' ? item.value.number : item.value.id;
}

/** Tenants and all that is theirs, indexed for decisions and changed item by item. */
export class Directory {
  readonly #items = new Map<string, DirectoryItem>();
  readonly #tenantByDomain = new Map<string, Tenant>();
  readonly #links = new Map<string, Link>();
  readonly #agents = new Map<string, Agent>();
  readonly #extensions = new Map<string, Agent>();
  readonly #rooms = new Counted();
  readonly #rules = new Map<string, NumberRule[]>();
  readonly #trunksOf = new Multi();
  readonly #numbers = new FirstOf();
  readonly trunks = new TrunkIndex((tenantId) => this.tenant(tenantId)?.domain ?? '');
  /** Told of every node whose placement changed. */
  onPlacement: (nodeId: string) => void = () => {};

  get size(): number {
    return this.#items.size;
  }

  /** Every item, for a snapshot of the whole. */
  items(): IterableIterator<DirectoryItem> {
    return this.#items.values();
  }

  *tenants(): Generator<Tenant> {
    for (const item of this.#items.values()) if (item.kind === 'tenant') yield item.value;
  }

  put(item: DirectoryItem): void {
    this.remove(item.kind, idOf(item));
    this.#items.set(`${item.kind} ${idOf(item)}`, item);
    this.#index(item, true);
  }

  remove(kind: DirectoryKind, id: string): void {
    const item = this.#items.get(`${kind} ${id}`);
    if (!item) return;
    this.#items.delete(`${kind} ${id}`);
    this.#index(item, false);
  }

  tenant(id: string): Tenant | undefined {
    return this.#get('tenant', id);
  }

  tenantByDomain(domain: string): Tenant | undefined {
    return this.#tenantByDomain.get(domain.toLowerCase());
  }

  group(id: string): Group | undefined {
    return this.#get('group', id);
  }

  placement(nodeId: string): Placement | undefined {
    return this.#get('placement', nodeId);
  }

  did(number: string): Did | undefined {
    return this.#get('did', number);
  }

  trunk(id: string): Trunk | undefined {
    return this.#get('trunk', id);
  }

  /** Group of a tenant's own link, or with PLATFORM of the platform's. */
  link(tenantId: string, fn: FunctionName, role: Role): string | undefined {
    return this.#links.get(`${tenantId} ${fn} ${role}`)?.groupId;
  }

  /** An agent by its id, "<username>@<tenant domain>". */
  agentById(id: string): Agent | undefined {
    return this.#get('agent', id);
  }

  /** An agent by user name. */
  agent(tenantId: string, username: string): Agent | undefined {
    return this.#agents.get(`${tenantId} ${username}`);
  }

  /** An agent by what others dial: extension or user name. */
  agentDialled(tenantId: string, user: string): Agent | undefined {
    return this.#extensions.get(`${tenantId} ${user}`) ?? this.agent(tenantId, user);
  }

  /** True when one of the tenant's numbers leads to this conference room. */
  isRoom(tenantId: string, name: string): boolean {
    return this.#rooms.has(`${tenantId} ${name}`);
  }

  /** A tenant's trunks, in order of id. */
  trunksOf(tenantId: string): Trunk[] {
    return this.#trunksOf.get(tenantId).flatMap((id) => this.trunk(id) ?? []);
  }

  /** The lowest number of a tenant: what it is known by where nothing else is said. */
  firstNumber(tenantId: string): string | undefined {
    return this.#numbers.of(tenantId);
  }

  /** The lowest number that leads to this agent. */
  numberOfAgent(agentId: string): string | undefined {
    return this.#numbers.of(agentId);
  }

  /** Rules for one number of calls that go one way through a trunk, in order. */
  rules(trunkId: string, direction: Direction, party: Party): readonly NumberRule[] {
    return this.#rules.get(ruleKey(trunkId, direction, party)) ?? [];
  }

  #get<K extends DirectoryKind>(kind: K, id: string): Kinds[K] | undefined {
    return this.#items.get(`${kind} ${id}`)?.value as Kinds[K] | undefined;
  }

  /** Enters an item into, or takes it out of, the indexes of its kind. */
  #index({ kind, value }: DirectoryItem, enter: boolean): void {
    switch (kind) {
      case 'tenant':
        own(this.#tenantByDomain, value.domain.toLowerCase(), value, enter);
        this.trunks.tenantChanged(value, enter);
        break;
      case 'link':
        own(this.#links, `${value.tenantId} ${value.function} ${value.role}`, value, enter);
        break;
      case 'placement':
        this.onPlacement(value.id);
        break;
      case 'agent':
        own(this.#agents, `${value.tenantId} ${value.username}`, value, enter);
        if (value.extension) own(this.#extensions, `${value.tenantId} ${value.extension}`, value, enter);
        break;
      case 'did':
        this.#indexDid(value, enter);
        break;
      case 'trunk':
        this.#trunksOf.change(value.tenantId, value.id, enter);
        if (enter) this.trunks.put(value);
        else this.trunks.remove(value);
        break;
      case 'rule':
        this.#indexRule(value, enter);
        break;
      case 'group':
        break;
    }
  }

  #indexDid({ number, tenantId, destinationKind, destination }: Did, enter: boolean): void {
    this.#numbers.change(tenantId, number, enter);
    if (destinationKind === 'agent') this.#numbers.change(destination, number, enter);
    if (destinationKind === 'conference') this.#rooms.count(`${tenantId} ${destination}`, enter);
  }

  #indexRule(rule: NumberRule, enter: boolean): void {
    const { trunkId, direction, party } = rule;
    const others = this.rules(trunkId, direction, party).filter(({ id }) => id !== rule.id);
    const rules = enter ? [...others, rule].sort((a, b) => a.position - b.position) : others;
    const key = ruleKey(trunkId, direction, party);
    if (rules.length > 0) this.#rules.set(key, rules);
    else this.#rules.delete(key);
  }
}

function ruleKey(trunkId: string, direction: Direction, party: Party): string {
  return `${trunkId} ${direction} ${party}`;
}
