import type { CallControlServiceServer } from '@callmesh/proto/control';
import { type Nats, streamHandler, unaryHandler } from '@callmesh/runtime';
import type { Decisions } from '../adapters/decisions.ts';
import type { Places } from '../adapters/places.ts';
import type { Access } from './access.ts';
import type { Commander } from './commander.ts';
import { commandHandlers } from './commands.ts';
import { watchEvents } from './events.ts';
import { hangUp } from './hang-up.ts';
import { originate } from './originate.ts';
import { getSession } from './sessions.ts';
import { transferBlind } from './transfer.ts';

export interface ControlPorts {
  readonly commander: Commander;
  readonly access: Access;
  readonly places: Places;
  readonly decisions: Decisions;
  readonly nats: Nats;
  /** A new channel UUID. */
  readonly newUuid: () => string;
}

/** Everything the platform may ask of calls. */
export function controlService(ports: ControlPorts): CallControlServiceServer {
  const { commander, access, places } = ports;
  return {
    ...commandHandlers(commander),
    originate: unaryHandler(originate(ports)),
    transferBlind: unaryHandler(transferBlind(ports)),
    hangUp: unaryHandler(hangUp(commander, places)),
    getSession: unaryHandler(getSession(access, places)),
    watchEvents: streamHandler(watchEvents(ports)),
  };
}
