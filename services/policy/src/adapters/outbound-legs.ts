import type { CallEvent } from '@callmesh/proto/call';
import { type Component, type Nats, subscribeCall } from '@callmesh/runtime';
import type { TrunkLeg } from '../domain/trunk-legs.ts';
import type { Mesh } from '../mesh.ts';

const SWEEP_MS = 2_000;

/**
 * Counts the legs that leave by trunks, as nodes tell of them. This is heard at most
 * once: a hangup that is missed is made up for by what the node table and the nodes'
 * load say.
 */
export function outboundLegs(nats: Nats, mesh: Mesh): Component {
  const { usage } = mesh;
  let timer: NodeJS.Timeout | undefined;
  const open: { close(): void }[] = [];
  return {
    name: 'outbound-legs',
    async start() {
      open.push(subscribeCall(nats, 'created', (event) => began(event, mesh)));
      open.push(subscribeCall(nats, 'hangup', ({ legUuid }) => usage.legs.ended(legUuid)));
      timer = setInterval(() => usage.legs.sweep(Date.now(), (leg) => lives(leg, mesh)), SWEEP_MS);
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
  usage.calledOut(
    legUuid,
    { trunkId, sessionId, nodeId, nodeEpoch },
    Math.min(at?.getTime() ?? 0, Date.now()),
  );
}

function lives({ nodeId, nodeEpoch }: TrunkLeg, { nodes }: Mesh): boolean {
  const node = nodes.get(nodeId);
  // A table that is not kept current proves nothing.
  if (!nodes.current) return true;
  return node !== undefined && node.epoch === nodeEpoch && node.status !== 'down';
}
