import type { SessionEvent } from '@callmesh/proto/session';
import { type App, type Nats, publishSession } from '@callmesh/runtime';
import { toBinding } from '../domain/session.ts';
import type { Deed } from '../domain/sessions.ts';

/** Tells the mesh of what this replica did, and counts it. */
export function teller(app: App, nats: Nats): (deed: Deed) => void {
  const counter = app.meter.createCounter('callmesh_session_changes', {
    description: 'bindings made, moved and released by this replica',
  });
  return (deed) => {
    counter.add(1, { event: deed.event });
    publishSession(nats, eventOf(deed));
  };
}

function eventOf(deed: Deed): SessionEvent {
  const { value, revision } = deed.entry;
  const from = deed.event === 'moved' ? { nodeId: deed.from.nodeId, epoch: deed.from.nodeEpoch } : undefined;
  return { event: deed.event, binding: toBinding(value, revision), from };
}
