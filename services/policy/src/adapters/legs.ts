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
 * Follows the legs that leave by trunks, which are counted, and those of agents, as
 * nodes tell of them. This is heard at most once: a hangup that is missed is made up
 * for by what the node table and the nodes' load say.
 */
export function followLegs(nats: Nats, mesh: Mesh): Component {
  const { agents, usage } = mesh;
  let timer: NodeJS.Timeout | undefined;
  const open: { close(): void }[] = [];
  const ended = ({ legUuid }: CallEvent) => {
    usage.legs.ended(legUuid);
    agents.ended(legUuid);
  };
  const sweep = () => {
    const now = Date.now();
    usage.legs.sweep(now, (leg) => lives(leg, mesh, now));
    agents.sweep((leg) => lives(leg, mesh, now));
  };
  return {
    name: 'legs',
    async start() {
      open.push(subscribeCall(nats, 'created', (event) => began(event, mesh)));
      open.push(subscribeCall(nats, 'moved', (event) => began(event, mesh)));
      open.push(subscribeCall(nats, 'hangup', ended));
      timer = setInterval(sweep, SWEEP_MS);
    },
    async stop() {
      clearInterval(timer);
      for (const subscription of open) subscription.close();
    },
  };
}

function began(event: CallEvent, mesh: Mesh): void {
  const { agentId, legUuid, nodeId, nodeEpoch, role } = event;
  if (agentId !== '' && role === 'NODE_ROLE_MEDIA')
    mesh.agents.begun(legUuid, { agentId, nodeId, nodeEpoch, since: Date.now() });
  leftByTrunk(event, mesh);
}

/** A carrier's leg is the tandem's, a PBX's the media node's: what leads from one to the other is no second one. */
function leftByTrunk(event: CallEvent, { directory, usage }: Mesh): void {
  const { outbound, trunkId, legUuid, sessionId, nodeId, nodeEpoch, role, at } = event;
  if (!outbound || trunkId === '') return;
  const leaves = directory.trunk(trunkId)?.kind === 'carrier' ? 'NODE_ROLE_TANDEM' : 'NODE_ROLE_MEDIA';
  if (role !== leaves) return;
  const since = Date.now();
  const leg = { trunkId, sessionId, nodeId, nodeEpoch, since };
  if (event.event === 'moved') usage.movedOut(legUuid, leg);
  else usage.calledOut(legUuid, leg, Math.min(at?.getTime() ?? 0, since));
}

function lives(
  { nodeId, nodeEpoch, since }: Pick<TrunkLeg, 'nodeId' | 'nodeEpoch' | 'since'>,
  { nodes }: Mesh,
  now: number,
): boolean {
  const age = now - since;
  if (age > MOST_MS) return false;
  // A table that is not kept current proves nothing.
  if (!nodes.current) return true;
  const node = nodes.get(nodeId);
  if (node?.epoch !== nodeEpoch || node.status === 'down') return false;
  return node.load.sessions > 0 || age < REPORTED_MS;
}
