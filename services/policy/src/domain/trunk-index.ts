import { Counted, Multi } from './keyed.ts';
import type { Tenant, Trunk } from './model.ts';
import { SourceIndex } from './source-index.ts';

/** Finds trunks by what proves them: source address, digest login, certificate. */
export class TrunkIndex {
  readonly #trunks = new Map<string, Trunk>();
  readonly #bySource = new SourceIndex<string>();
  readonly #byLogin = new Multi();
  readonly #bySubject = new Multi();
  readonly #digestOfTenant = new Multi();
  readonly #realms = new Counted();
  readonly #domainOf: (tenantId: string) => string;

  constructor(domainOf: (tenantId: string) => string) {
    this.#domainOf = domainOf;
  }

  /** Trunks that claim the most specific match of a source address, in order of id. */
  at(address: string, port: number): Trunk[] {
    return this.#all([...this.#bySource.find(address, port)].sort());
  }

  byLogin(username: string, realm: string): Trunk[] {
    return this.#all(this.#byLogin.get(loginKey(username, realm)));
  }

  bySubject(subject: string): Trunk[] {
    return this.#all(this.#bySubject.get(subject.toLowerCase()));
  }

  /** Realm of a digest trunk: its own, else its tenant's domain. */
  realmOf(trunk: Trunk): string {
    return trunk.realm || this.#domainOf(trunk.tenantId);
  }

  /** True when some digest trunk logs in at this realm. */
  hasRealm(realm: string): boolean {
    return this.#realms.has(realm.toLowerCase());
  }

  put(trunk: Trunk): void {
    this.#trunks.set(trunk.id, trunk);
    this.#change(trunk, true);
  }

  remove(trunk: Trunk): void {
    this.#trunks.delete(trunk.id);
    this.#change(trunk, false);
  }

  /** A trunk without a realm of its own logs in at its tenant's domain: it moves when that does. */
  tenantChanged(tenant: Tenant, enter: boolean): void {
    for (const trunk of this.#all(this.#digestOfTenant.get(tenant.id))) {
      this.#login(trunk, trunk.realm || (enter ? '' : tenant.domain), false);
      this.#login(trunk, trunk.realm || (enter ? tenant.domain : ''), true);
    }
  }

  #all(ids: readonly string[]): Trunk[] {
    return ids.flatMap((id) => this.#trunks.get(id) ?? []);
  }

  #change(trunk: Trunk, enter: boolean): void {
    for (const source of trunk.sourceAddresses) this.#bySource.change(source, trunk.id, enter);
    if (trunk.auth === 'tls') this.#bySubject.change(trunk.tlsSubject.toLowerCase(), trunk.id, enter);
    if (trunk.auth !== 'digest') return;
    this.#digestOfTenant.change(trunk.tenantId, trunk.id, enter);
    this.#login(trunk, this.realmOf(trunk), enter);
  }

  #login(trunk: Trunk, realm: string, enter: boolean): void {
    this.#byLogin.change(loginKey(trunk.username, realm), trunk.id, enter);
    this.#realms.count(realm.toLowerCase(), enter);
  }
}

function loginKey(username: string, realm: string): string {
  return `${username}@${realm.toLowerCase()}`;
}
