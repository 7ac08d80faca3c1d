import type { AuditEvent } from '@callmesh/proto/audit';
import type { CallEvent } from '@callmesh/proto/call';
import {
  type App,
  consumeAuditBatches,
  consumeCallBatches,
  type Nats,
  subscribeNode,
} from '@callmesh/runtime';
import { databaseComponent } from '@callmesh/runtime/sql';
import { refusalOf } from '../../domain/cdr/refusal.ts';
import { moveOf, tellingOf } from '../../domain/cdr/telling.ts';
import { guarded } from './guard.ts';
import { housekeeping } from './housekeeping.ts';
import { Keeper } from './keeper.ts';
import { recordMetrics } from './metrics.ts';
import { Reader } from './reader.ts';
import { Recorder } from './recorder.ts';
import { type Database, MIGRATIONS } from './tables.ts';

/**
 * Makes records of call events and refusals, and keeps them for some days. While
 * the database is away the events wait in their streams, which is said in health.
 */
export function addRecords(app: App, nats: Nats, database: Database, keepDays: number): Reader {
  const component = app.add(databaseComponent(app, database, MIGRATIONS, { needed: false }));
  const guard = guarded(app, component);
  const metrics = recordMetrics(app.meter);
  const recorder = new Recorder(database.db);
  const keeper = new Keeper(database.db);

  async function storeCalls(events: readonly CallEvent[]): Promise<void> {
    const tellings = events.map(tellingOf);
    const legs = tellings.filter((telling) => telling !== undefined && telling !== 'unusable');
    const moves = events.flatMap(moveOf);
    if (legs.length + moves.length > 0) metrics.stored(await guard(() => recorder.record(legs, moves)));
    metrics.unusable('leg', tellings.filter((telling) => telling === 'unusable').length);
  }

  async function storeRefusals(events: readonly AuditEvent[]): Promise<void> {
    const tellings = events.map(refusalOf);
    const refusals = tellings.filter((telling) => telling !== 'unusable');
    metrics.stored({ refusals: await guard(() => recorder.recordRefusals(refusals)) });
    metrics.unusable('refusal', tellings.length - refusals.length);
  }

  const house = app.add(housekeeping(app, { keeper, recorder, guard, keepDays }));
  subscribeNode(nats, ({ nodeId, epoch, event }) => event === 'down' && house.lifeEnded(nodeId, epoch));
  app.add(consumeCallBatches(app, nats, 'cdr', storeCalls));
  app.add(consumeAuditBatches(app, nats, 'cdr', storeRefusals));
  return new Reader(database.db, guard);
}
