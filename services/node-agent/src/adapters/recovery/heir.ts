import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type LegOutcome, type RecoverRequest, RecoverResponse } from '@callmesh/proto/takeover';
import { type App, fail, type Kept, type RecoveryStore } from '@callmesh/runtime';
import type { Leg } from '../../domain/leg.ts';
import { clearingLine, forHeir, insertingLine } from '../../domain/recovery/channel.ts';
import { EslEvent } from '../esl/event.ts';
import type { FreeSwitch } from '../freeswitch/freeswitch.ts';

const expand = promisify(gunzip);
/** Deadline of one command, milliseconds. */
const COMMAND_MS = 3_000;
/** Longest until the far end has answered the re-INVITE, milliseconds. */
const ANSWER_MS = 5_000;
const LOOK_MS = 100;
/** Legs of one batch: with a hundred calls at once the SIP socket drops packets. */
const BATCH = 20;

const RESUMED = 'resumed';
/** States of a leg that goes on; before, it is on its way, and after, it ends. */
const RUNNING = new Set([
  ...['CS_EXECUTE', 'CS_SOFT_EXECUTE', 'CS_PARK', 'CS_EXCHANGE_MEDIA', 'CS_CONSUME_MEDIA', 'CS_HIBERNATE'],
]);

/** Goes on with legs of a dead node: hands their snapshots to this one's FreeSWITCH, and sees that each is there. */
export class Heir {
  readonly #app: App;
  readonly #freeswitch: FreeSwitch;
  readonly #store: RecoveryStore;
  /** Told of a leg that is here now. */
  readonly #onResumed: (uuid: string) => void;
  /** Rows are inserted and recovered by one at a time: `recover` takes all there are. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(app: App, freeswitch: FreeSwitch, store: RecoveryStore, onResumed: (uuid: string) => void) {
    this.#onResumed = onResumed;
    this.#app = app;
    this.#freeswitch = freeswitch;
    this.#store = store;
  }

  /** Errors: precondition_failed for another life of this node, unavailable. */
  async recover(request: RecoverRequest): Promise<RecoverResponse> {
    const mine = this.#turn.then(() => this.#recover(request));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #recover({ heir, dead, legUuids }: RecoverRequest): Promise<RecoverResponse> {
    const { epoch } = this.#freeswitch;
    if (epoch === undefined) throw fail('unavailable', 'FreeSWITCH is not connected');
    if (epoch !== heir?.epoch) throw fail('precondition_failed', 'another life of this node');
    const legs: LegOutcome[] = [];
    for (let at = 0; at < legUuids.length; at += BATCH)
      legs.push(...(await this.#batch(dead?.nodeId ?? '', legUuids.slice(at, at + BATCH), epoch)));
    return RecoverResponse.fromPartial({ legs });
  }

  async #batch(deadId: string, uuids: readonly string[], epoch: string): Promise<LegOutcome[]> {
    const kept = await Promise.all(uuids.map((uuid) => this.#store.get(deadId, uuid)));
    const here = await Promise.all(uuids.map((uuid) => this.#exists(uuid)));
    const usable = kept.filter(
      (one, index): one is Kept => !here[index] && (one?.snapshot.channel.length ?? 0) > 0,
    );
    await this.#insert(usable, epoch);
    const until = Date.now() + ANSWER_MS;
    const outcomes = await Promise.all(
      uuids.map(async (legUuid, index) => {
        if (!kept[index] && !here[index]) return { legUuid, outcome: 'no_snapshot' };
        return {
          legUuid,
          outcome: await this.#look(legUuid, until),
        };
      }),
    );
    const result = withoutHalves(outcomes, kept);
    for (const { legUuid, outcome } of result) {
      if (outcome !== RESUMED) await this.#end(legUuid);
      else {
        if (usable.some(({ snapshot }) => snapshot.legUuid === legUuid)) this.#freeswitch.settle(legUuid);
        this.#onResumed(legUuid);
      }
    }
    return result;
  }

  async #insert(kept: readonly Kept[], epoch: string): Promise<void> {
    if (kept.length === 0) return;
    const { connection } = this.#freeswitch;
    await connection.bgapi(clearingLine(epoch), COMMAND_MS);
    for (const { snapshot } of kept) {
      const channel = (await expand(snapshot.channel)).toString('utf8');
      const text = forHeir(channel, snapshot.mediaAddress, this.#freeswitch.mediaAddress);
      await connection.bgapi(insertingLine(snapshot.legUuid, snapshot.life!.epoch, text), COMMAND_MS);
    }
    // What the table knows before FreeSWITCH tells of the channel keeps its times, and whose it is.
    this.#freeswitch.inherit(kept.map(({ snapshot }) => JSON.parse(snapshot.leg) as Leg));
    const { body } = await connection.bgapi('sofia recover', COMMAND_MS);
    this.#app.log.info({ legs: kept.length, answer: body.trim() }, 'recovering legs of a dead node');
  }

  /** "Recovered" is no proof: a leg is there when its far end answered, and is connected to whom it was. */
  async #look(uuid: string, until: number): Promise<string> {
    while (Date.now() < until) {
      const dump = await this.#freeswitch.connection
        .bgapi(`uuid_dump ${uuid} json`, COMMAND_MS)
        .catch(() => undefined);
      const fields = dump && EslEvent.fromJson(dump.body);
      if (fields && isResumed(fields)) return RESUMED;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return 'not_answered';
  }

  async #exists(uuid: string): Promise<boolean> {
    const { body } = await this.#freeswitch.connection.bgapi(`uuid_exists ${uuid}`, COMMAND_MS);
    return body.trim() === 'true';
  }

  /** Never left hanging: what is there of it goes, and what is told of it ends. */
  async #end(uuid: string): Promise<void> {
    await this.#freeswitch.connection
      .bgapi(`uuid_kill ${uuid} NORMAL_TEMPORARY_FAILURE`, COMMAND_MS)
      .catch(() => {});
    this.#freeswitch.settle(uuid, 'NORMAL_TEMPORARY_FAILURE');
  }
}

/** A leg whose other leg did not come back talks to nobody. */
function withoutHalves(outcomes: readonly LegOutcome[], kept: readonly (Kept | undefined)[]): LegOutcome[] {
  const lost = new Set(outcomes.filter(({ outcome }) => outcome !== RESUMED).map(({ legUuid }) => legUuid));
  return outcomes.map((one, index) => {
    const other = kept[index]?.snapshot.otherLegUuid ?? '';
    return one.outcome === RESUMED && lost.has(other) ? { ...one, outcome: 'alone' } : one;
  });
}

/** A connected leg leaves CS_RESET when it is with its other leg again, whether media passes through here or not. */
function isResumed(fields: EslEvent): boolean {
  return fields.get('Answer-State') === 'answered' && RUNNING.has(fields.get('Channel-State') ?? '');
}
