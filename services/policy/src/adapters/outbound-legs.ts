import type { CallEvent } from '@callmesh/proto/call';
import { type Component, type Nats, subscribeCall } from '@callmesh/runtime';
import type { TrunkLeg } from '../domain/trunk-legs.ts';
import type { Mesh } from '../mesh.ts';

const SWEEP_MS = 2_000;
/** A load report may be older than a leg by no more than this. */
const REPORTED_MS = 10_000;
/** Nearly no call is longer: the last way out for a hangup that was missed. */
const MOST_MS = 4 * 3_600_000;

/**
 * Counts the legs that leave by trunks, as nodes tell of them. This is heard at most
 * once: a hangup that is missed is made up for by what the node table and the nodes'
 * load say.
 */
export function outboundLegs(nats: Nats, mesh: Mesh): Component {
  const { legs } = mesh.usage;
  let timer: NodeJS.Timeout | undefined;
  const open: { close(): void }[] = [];
  return {
    name: 'outbound-legs',
    async start() {
      open.push(subscribeCall(nats, 'created', (event) => began(event, mesh)));
      open.push(subscribeCall(nats, 'hangup', ({ legUuid }) => legs.ended(legUuid)));
      timer = setInterval(() => legs.sweep(Date.now(), (leg) => lives(leg, mesh, Date.now())), SWEEP_MS);
    },
    async stop() {
      clearInterval(timer);
      for (const subscription of open) subscription.close();
    },
  };
}

/** A carrier's leg is the tandem's, a PBX's the media node's: what leads from one to the other is no second one. */
function began(event: CallEvent, { directory, usage }: Mesh): void {
  const { outbound, trunkId, legUuid, sessionId, nodeId, nodeEpoch, role, at } = event;
  if (!outbound || trunkId === '') return;
  const leaves = directory.trunk(trunkId)?.kind === 'carrier' ? 'NODE_ROLE_TANDEM' : 'NODE_ROLE_MEDIA';
  if (role !== leaves) return;
  const since = Date.now();
  const leg = { trunkId, sessionId, nodeId, nodeEpoch, since };
  usage.calledOut(legUuid, leg, Math.min(at?.getTime() ?? 0, since));
}

function lives({ nodeId, nodeEpoch, since }: TrunkLeg, { nodes }: Mesh, now: number): boolean {
  const age = now - since;
  if (age > MOST_MS) return false;
  // A table that is not kept current proves nothing.
  if (!nodes.current) return true;
  const node = nodes.get(nodeId);
  if (node?.epoch !== nodeEpoch || node.status === 'down') return false;
  return node.load.sessions > 0 || age < REPORTED_MS;
}
