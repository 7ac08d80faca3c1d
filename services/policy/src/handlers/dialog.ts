import type { Logger } from 'pino';
import { aliveNode } from '../domain/binding.ts';
import { locateDialog } from '../domain/dialog.ts';
import type { Binding, Role } from '../domain/model.ts';
import type { Mesh } from '../mesh.ts';
import type { DialogAnswer, DialogRequest } from './schema.ts';

type Lookup = (tenantId: string, role: Role, callId: string) => Promise<Binding | undefined>;

/** Answers where an in-dialog request goes whose node is not up: from memory, else from session-cache. */
export function dialogHandler(mesh: Mesh, lookup: Lookup, log: Logger) {
  const { nodes, bindings } = mesh;
  return async (body: DialogRequest): Promise<DialogAnswer> => {
    const role = roleAt(mesh, body);
    const known = bindings.byCallId(body.tenant, role, body.call_id);
    // Memory may not have heard yet that a dead node's session was taken over.
    const usable = known && aliveNode(known, nodes) ? known : undefined;
    const { node, moved } = locateDialog(
      usable ?? (await lookup(body.tenant, role, body.call_id)),
      body.node,
      nodes,
    );
    log.info(
      {
        call_id: body.call_id,
        tenant: body.tenant,
        method: body.method,
        from: body.node,
        node: node.id,
        moved,
      },
      'dialog',
    );
    return { node: node.id, uri: `sip:${node.address}`, moved };
  };
}

/** Role of the node the request was going to; when that left the table, what its edge leads to. */
function roleAt({ nodes }: Mesh, { node, edge }: DialogRequest): Role {
  const role = nodes.at(node)?.role;
  if (role === 'router' || role === 'media' || role === 'tandem') return role;
  return nodes.get(edge)?.role === 'kama-wss' ? 'router' : 'media';
}
