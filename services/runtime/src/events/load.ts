import { LoadReport } from '@callmesh/proto/node';
import type { Nats } from '../nats.ts';
import { roleName } from '../roles.ts';
import { decode, encode, token } from './json.ts';

/** callmesh.load.<role>.<node-id>, core NATS: a report that is late is worth nothing. */
const SUBJECT = 'callmesh.load';

export function publishLoad(nats: Nats, report: LoadReport): boolean {
  return nats.publish(
    `${SUBJECT}.${roleName(report.role)}.${token(report.nodeId)}`,
    encode(LoadReport, report),
  );
}

export function subscribeLoad(nats: Nats, handler: (report: LoadReport) => void): { close(): void } {
  return nats.subscribe(`${SUBJECT}.>`, (message) => handler(decode(LoadReport, message)));
}
