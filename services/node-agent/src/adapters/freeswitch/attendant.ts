import type { EslConnection } from '../esl/connection.ts';
import type { EslEvent } from '../esl/event.ts';

/** Something that looks after one side of a FreeSWITCH over its agent's connection. */
export interface Attendant {
  /** Subclasses of CUSTOM events it wants to hear of, e.g. "sofia::register". */
  readonly subclasses: readonly string[];
  /** A fresh connection: reconcile here. Never throws; the node is up without it. */
  onOpen?(connection: EslConnection): Promise<void>;
  onCustom(event: EslEvent): void;
  /** Any other event, after the leg table has taken it. */
  onEvent?(event: EslEvent): void;
}
