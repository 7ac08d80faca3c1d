import type { GetStatusResponse, LoadReport, Node, NodeAgentServiceServer } from '@callmesh/proto/node';
import { unaryHandler } from '@callmesh/runtime';

/** What the agent knows of itself. */
export interface AgentView {
  /** The record that is, or would be, registered. */
  readonly node: Node | undefined;
  readonly load: LoadReport | undefined;
  readonly registered: boolean;
  readonly reconnects: number;
  readonly fallbackDestinations: number;
}

/** NodeAgentService: the agent's own view of its node. */
export function statusService(view: () => AgentView, configured: Node): NodeAgentServiceServer {
  return {
    getStatus: unaryHandler((): GetStatusResponse => {
      const { node, load, registered, reconnects, fallbackDestinations } = view();
      return { node: node ?? configured, load, registered, reconnects, fallbackDestinations };
    }),
  };
}
