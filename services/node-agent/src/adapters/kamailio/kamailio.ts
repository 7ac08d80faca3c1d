import { BackendState, type Node } from '@callmesh/proto/node';
import { type App, type Component, toCallmeshError } from '@callmesh/runtime';
import { type Identity, type Life, nodeOf } from '../../domain/identity.ts';
import type { Load } from '../../domain/load.ts';
import type { Announcer } from '../announcer.ts';
import { HostCpu } from '../host-cpu.ts';
import type { LoadSource } from '../load-publisher.ts';
import type { Knowledge } from './knowledge.ts';
import type { Mirror } from './mirror.ts';
import type { KamailioRpc } from './rpc.ts';
import { askLife } from './start-identity.ts';

/** How often Kamailio is looked after when nothing changes, milliseconds. */
const EVERY_MS = 1_000;
/** Changes that come together are written together, milliseconds. */
const COALESCE_MS = 50;
/** How often what is loaded is read back: somebody else may have changed it, milliseconds. */
const READ_BACK_MS = 60_000;

/** What the sidecar of a Kamailio works with. */
export interface KamailioParts {
  readonly rpc: KamailioRpc;
  readonly mirror: Mirror;
  readonly knowledge: () => Knowledge;
  readonly announcer: Announcer;
  /** Called when the load may have changed; `now` when it must not wait. */
  readonly onLoad: (now: boolean) => void;
}

/** The agent's side of one Kamailio: its lives, and that it always holds what it needs to route alone. */
export class Kamailio implements Component, LoadSource {
  readonly name = 'kamailio';
  readonly #app: App;
  readonly #identity: Identity;
  readonly #parts: KamailioParts;
  readonly #cpu = new HostCpu();
  #life: Life | undefined;
  #backend: BackendState = BackendState.BACKEND_STATE_DOWN;
  #reason = 'not reached yet';
  #restarts = 0;
  #readBackAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #changed = false;
  #stopped = true;

  constructor(app: App, identity: Identity, parts: KamailioParts) {
    this.#app = app;
    this.#identity = identity;
    this.#parts = parts;
  }

  get node(): Node | undefined {
    return this.#life && nodeOf(this.#identity, this.#life);
  }

  /** How often Kamailio was found in another life. */
  get restarts(): number {
    return this.#restarts;
  }

  get destinations(): number {
    return this.#parts.mirror.destinations;
  }

  load(): Load {
    const { maxSessions } = this.#identity;
    const idleCpu = this.#cpu.idle();
    return { sessions: 0, created: 0, maxSessions, idleCpu, backend: this.#backend, reason: this.#reason };
  }

  /** An edge's sessions are counted where they live, on the nodes. */
  takeStarted(): string[] {
    return [];
  }

  returnStarted(): void {}

  async start(): Promise<void> {
    this.#stopped = false;
    // Ready means: the edge, if it runs, has all that was last known.
    await this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#parts.rpc.close();
  }

  /** Something the edge must know changed. */
  change(): void {
    this.#changed = true;
    if (!this.#running) this.#schedule(COALESCE_MS);
  }

  #schedule(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    this.#changed = false;
    this.#running = this.#sync();
    await this.#running;
    this.#running = undefined;
    this.#schedule(this.#changed ? COALESCE_MS : EVERY_MS);
  }

  async #sync(): Promise<void> {
    const { rpc, mirror } = this.#parts;
    const knowledge = this.#parts.knowledge();
    try {
      const desired = knowledge.desired(Date.now());
      const { known } = knowledge;
      // What is promised to Kamailio is on disk first, and there for one that only just starts.
      await knowledge.store(desired);
      await mirror.writeLists(desired, known);
      this.#begin(await askLife(rpc, this.#identity.role));
      const changes = await mirror.apply(desired, known);
      if (changes > 0)
        this.#app.log.info({ changes, destinations: this.destinations }, 'kamailio is up to date');
      this.#alive();
    } catch (error) {
      this.#failed(error);
    }
  }

  #begin(life: Life): void {
    const another = life.epoch !== this.#life?.epoch;
    if (another && this.#life) this.#restarts += 1;
    if (another || Date.now() - this.#readBackAt > READ_BACK_MS) {
      this.#parts.mirror.forget();
      this.#readBackAt = Date.now();
    }
    this.#life = life;
  }

  #alive(): void {
    this.#set(BackendState.BACKEND_STATE_UP, '');
    this.#app.degraded('kamailio', null);
    if (this.node) this.#parts.announcer.up(this.node);
  }

  #failed(error: unknown): void {
    const { code, message } = toCallmeshError(error);
    this.#app.degraded('kamailio', message);
    this.#app.log.debug({ err: error }, 'kamailio could not be brought up to date');
    this.#parts.mirror.forget();
    if (code === 'unavailable') {
      this.#set(BackendState.BACKEND_STATE_DOWN, message);
      this.#parts.announcer.down(message);
    } else if (code === 'deadline') this.#set(BackendState.BACKEND_STATE_STUCK, message);
  }

  #set(backend: BackendState, reason: string): void {
    const news = this.#backend !== backend;
    this.#backend = backend;
    this.#reason = reason;
    if (news) this.#parts.onLoad(true);
  }
}
