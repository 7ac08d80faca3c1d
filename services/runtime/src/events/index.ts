export { type Assigned, publishAssigned, subscribeAssigned } from './assigned.ts';
export { AuditPublisher, consumeAuditBatches, type Refusal } from './audit.ts';
export {
  CallPublisher,
  consumeCall,
  consumeCallBatches,
  readCalls,
  subscribeCall,
} from './call.ts';
export { sendCommand, serveCommands } from './command.ts';
export { publishDecided, subscribeDecided } from './decided.ts';
export type { EventConsumer } from './durable/consumer.ts';
export type { Positioned, Reading } from './durable/reading.ts';
export { publishLoad, subscribeLoad } from './load.ts';
export { publishNode, subscribeNode } from './node.ts';
export { publishSession, subscribeSession } from './session.ts';
export { askHeir, serveHeir } from './takeover.ts';
export { publishTenantChanged, subscribeTenantChanged, type TenantChanged } from './tenant.ts';
