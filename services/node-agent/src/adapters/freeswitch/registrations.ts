import type { App, Component } from '@callmesh/runtime';
import { differences } from '../../domain/registrations/compare.ts';
import { type Device, keyOf } from '../../domain/registrations/device.ts';
import { AWAY_MS, type Doors } from '../../domain/registrations/doors.ts';
import { heardOf, REGISTERED, UNREGISTERED } from '../../domain/registrations/heard.ts';
import { listedDevices } from '../../domain/registrations/listing.ts';
import { Due } from '../due.ts';
import type { EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';
import type { RegistrationOutbox } from '../registration-outbox.ts';
import type { Attendant } from './attendant.ts';

const COMMAND_MS = 10_000;
/** When the two lists are compared again: on suspicion, after a failure, and anyway, milliseconds. */
const SOON_MS = 1_000;
const DOORS_MS = 100;
const FAILED_MS = 5_000;
const ANYWAY_MS = 300_000;
/** The same life is told to have begun at times this far apart, milliseconds. */
const SAME_LIFE_MS = 1_000;
/** Names an API command takes as they are. */
const WORD = /^[\w.+@-]+$/;

/** Brings what agents register at an fs-router to session-cache, and keeps its list equal to FreeSWITCH's. */
export class Registrations implements Attendant, Component {
  readonly name = 'registrations';
  /** What expires needs no telling: session-cache knows when, and the agent may be at another router by then. */
  readonly subclasses = [REGISTERED, UNREGISTERED];
  readonly #app: App;
  readonly #outbox: RegistrationOutbox;
  readonly #doors: Pick<Doors, 'isGone'>;
  #connection: EslConnection | undefined;
  #leave: NodeJS.Timeout | undefined;
  readonly #due = new Due(() => this.#compareSafely());
  /** FreeSWITCH's life: since when, and the contacts it had kept from the one before that we have seen. */
  #life: { readonly began: number; readonly inherited: ReadonlyMap<string, Device> } | undefined;
  /** Contacts, and whole addresses of record, heard of while the lists are compared: that is newer than both. */
  #heard: Set<string> | undefined;

  constructor(app: App, outbox: RegistrationOutbox, doors: Pick<Doors, 'isGone'>) {
    this.#app = app;
    this.#outbox = outbox;
    this.#doors = doors;
  }

  async onOpen(connection: EslConnection): Promise<void> {
    this.#connection = connection;
    await this.#due.now();
  }

  async stop(): Promise<void> {
    this.#connection = undefined;
    clearTimeout(this.#leave);
    this.#due.cancel();
  }

  /** A door went, came or began anew: whoever was behind it may be gone now, or be when it stays away. */
  doorsChanged(): void {
    this.#leave ??= setTimeout(() => {
      this.#leave = undefined;
      this.#due.in(0);
    }, AWAY_MS + SOON_MS);
    this.#due.in(DOORS_MS);
  }

  onCustom(event: EslEvent): void {
    if (!this.subclasses.includes(event.get('Event-Subclass') ?? '')) return;
    const heard = heardOf(event, Date.now());
    switch (heard?.what) {
      case 'device':
        this.#heard?.add(keyOf(heard.device));
        this.#outbox.tell(heard.device);
        return;
      case 'all gone':
        this.#heard?.add(heard.aor);
        this.#forgetAll(heard.aor);
        return;
      case 'unclear':
        this.#due.in(SOON_MS);
    }
  }

  /** FreeSWITCH keeps what "*" was to remove: it is told, and session-cache too. */
  #forgetAll(aor: string): void {
    if (WORD.test(aor))
      this.#connection?.bgapi(`sofia profile mesh flush_inbound_reg ${aor}`, COMMAND_MS).catch(() => {});
    this.#outbox.forgetAll(aor);
  }

  async #compareSafely(): Promise<void> {
    const connection = this.#connection;
    // The next connection begins with a comparison.
    if (!connection || connection.closed) return;
    const heard = new Set<string>();
    this.#heard = heard;
    try {
      await this.#compare(connection, (device) => heard.has(keyOf(device)) || heard.has(device.aor));
      this.#app.degraded('registrations', null);
      this.#due.in(ANYWAY_MS);
    } catch (error) {
      this.#app.degraded('registrations', (error as Error).message);
      this.#due.in(FAILED_MS);
    } finally {
      this.#heard = undefined;
    }
  }

  async #compare(connection: EslConnection, isNewer: (device: Device) => boolean): Promise<void> {
    const now = Date.now();
    const began = now - Number(await connection.api('uptime ms'));
    const list = await connection.bgapi('sofia status profile mesh reg', COMMAND_MS);
    const listed = listedDevices(list.body, now);
    if (!listed) throw new Error('FreeSWITCH does not list its registrations');
    const { inherited } = this.#lifeOf(began, listed);
    const known = await this.#outbox.known();
    const isGone = ({ path }: Device) => this.#doors.isGone(path, now);
    const changes = differences({ listed, known, began, inherited, isNewer, isGone });
    for (const device of changes) this.#outbox.tell(device);
    if (changes.length > 0) this.#app.log.info({ changes: changes.length }, 'registrations were compared');
  }

  /** Doors send nobody to a node before we have told that it is up: what a new life lists first is old. */
  #lifeOf(began: number, listed: readonly Device[]) {
    const before = this.#life;
    if (before && began < before.began + SAME_LIFE_MS) return before;
    this.#life = { began, inherited: new Map(before && listed.map((device) => [keyOf(device), device])) };
    return this.#life;
  }
}
