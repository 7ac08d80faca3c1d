import { fail } from '@callmesh/runtime';
import { ownerByAgent } from './agent.ts';
import { ha1For, parseDigest, verifyDigest } from './digest.ts';
import type { Directory } from './directory.ts';
import type { Agent, Role, Tenant, Trunk } from './model.ts';
import type { NodeRow, NodeTable } from './node-table.ts';
import type { RouteRequest } from './request.ts';
import { hostOf, parseSipUri } from './sip-uri.ts';

/** Whose a request is, and how that is known. */
export interface Owner {
  readonly tenant: Tenant;
  readonly trunk?: Trunk | undefined;
  readonly agent?: Agent | undefined;
  /** H(user:realm:password) of a digest that was verified: the edge checks the nonce with it. */
  readonly ha1?: string | undefined;
  readonly realm?: string | undefined;
  /** How it is known, for a person. */
  readonly by: string;
}

/**
 * Step 1, whose is it: by digest, TLS certificate or source address; nodes of the
 * mesh may also name the tenant, by its id or its domain. Never a guess.
 * Errors: unknown_trunk, unknown_number, unauthenticated, challenge; tenant_forbidden
 * and origin_forbidden of agents; not_found and unknown_agent when the mesh names
 * what is not there.
 */
export function findOwner(request: RouteRequest, directory: Directory, nodes: NodeTable): Owner {
  const asker = nodes.get(request.edge);
  if (request.hint.tenantId !== undefined) return ownerNamed(request, directory);
  if (asker && isFreeswitch(asker)) return ownerNamedByNode(request, directory, asker);
  if (asker?.role === 'kama-wss') return ownerByAgent(request, directory);
  return (
    ownerByDigest(request, directory) ??
    ownerByCertificate(request, directory) ??
    ownerByAddress(request, directory) ??
    refuseStranger(request, directory)
  );
}

/** Who asks has found out already, or places the call itself: for the tenant it names, and for nobody else. */
function ownerNamed({ hint, edge }: RouteRequest, directory: Directory): Owner {
  const tenant = directory.tenant(hint.tenantId!);
  if (!tenant) throw fail('not_found', `there is no tenant ${hint.tenantId}`, { field: 'tenant_id' });
  const trunk = hint.trunkId === undefined ? undefined : directory.trunk(hint.trunkId);
  const agent = hint.agentId === undefined ? undefined : directory.agentById(hint.agentId);
  if (hint.trunkId !== undefined && trunk?.tenantId !== tenant.id)
    throw fail('unknown_trunk', `tenant ${tenant.id} has no trunk ${hint.trunkId}`);
  if (hint.agentId !== undefined && agent?.tenantId !== tenant.id)
    throw fail('unknown_agent', `tenant ${tenant.id} has no such agent`);
  return { tenant, trunk, agent, by: `named by ${edge}` };
}

function isFreeswitch({ role }: NodeRow): boolean {
  return role === 'router' || role === 'media' || role === 'tandem';
}

/** What kind of node a request needs: agents' calls a router first, everything else a media node. */
export function roleFor(request: RouteRequest, nodes: NodeTable): Role {
  return request.hint.role ?? (nodes.get(request.edge)?.role === 'kama-wss' ? 'router' : 'media');
}

/** A node speaks for a tenant by its domain; a tandem only passes on what carriers say, so there the trunk or the number decides. */
function ownerNamedByNode(request: RouteRequest, directory: Directory, node: NodeRow): Owner {
  if (node.role === 'tandem') {
    const byTrunk = ownerByAddress(request, directory);
    if (byTrunk) return byTrunk;
  } else {
    for (const uri of [request.fromUri, request.requestUri]) {
      const tenant = directory.tenantByDomain(hostOf(uri));
      if (tenant)
        return {
          tenant,
          agent: callingAgent(request, directory, tenant),
          by: `domain ${tenant.domain} named by ${node.id}`,
        };
    }
  }
  const number = parseSipUri(request.requestUri)?.user ?? '';
  const tenant = directory.tenant(directory.did(number)?.tenantId ?? '');
  if (!tenant)
    throw fail('unknown_number', 'the called number belongs to no tenant', { field: 'request_uri' });
  return { tenant, by: `called number, asked by ${node.id}` };
}

function callingAgent(request: RouteRequest, directory: Directory, tenant: Tenant): Agent | undefined {
  const from = parseSipUri(request.fromUri);
  return from?.host === tenant.domain.toLowerCase()
    ? directory.agentDialled(tenant.id, from.user)
    : undefined;
}

function ownerByDigest(request: RouteRequest, directory: Directory): Owner | undefined {
  if (request.authorization === '') return undefined;
  const digest = parseDigest(request.authorization);
  if (!digest) {
    if (!/^\s*digest\s/i.test(request.authorization)) return undefined;
    throw fail('unauthenticated', 'expected a digest with qop=auth and algorithm MD5 or SHA-256', {
      field: 'authorization',
    });
  }
  const trunks = directory.trunks.byLogin(digest.username, digest.realm);
  const trunk = trunks.find((credentials) => verifyDigest(digest, request.method, credentials));
  if (trunk) {
    requireSource(trunk, request, directory);
    const proof = { ha1: ha1For(digest, trunk), realm: digest.realm };
    return { tenant: tenantOf(trunk, directory), trunk, ...proof, by: `digest of trunk ${trunk.id}` };
  }
  // One answer for a wrong password and for an unknown user: it must not tell which users exist.
  if (trunks.length > 0 || directory.trunks.hasRealm(digest.realm))
    throw fail('unauthenticated', 'wrong user name or password', { field: 'authorization' });
  return undefined;
}

function ownerByCertificate(request: RouteRequest, directory: Directory): Owner | undefined {
  if (request.tlsSubject === '') return undefined;
  const [trunk] = directory.trunks.bySubject(request.tlsSubject);
  if (!trunk) return undefined;
  requireSource(trunk, request, directory);
  return { tenant: tenantOf(trunk, directory), trunk, by: `certificate of trunk ${trunk.id}` };
}

/** The most specific claim on the source address decides; a claim that needs more proof is asked for it. */
function ownerByAddress(request: RouteRequest, directory: Directory): Owner | undefined {
  const claims = directory.trunks.at(request.sourceAddress, request.sourcePort);
  if (claims.length === 0) return undefined;
  const byAddress = claims.filter(({ auth }) => auth === 'address');
  const open = byAddress.some(({ enabled }) => enabled)
    ? byAddress.filter(({ enabled }) => enabled)
    : byAddress;
  const [trunk] = open;
  if (trunk) {
    if (open.some(({ tenantId }) => tenantId !== trunk.tenantId))
      throw fail('unknown_trunk', 'trunks of several tenants claim this source address', {
        field: 'source_address',
      });
    return { tenant: tenantOf(trunk, directory), trunk, by: `source address of trunk ${trunk.id}` };
  }
  const digest = claims.find(({ auth }) => auth === 'digest');
  if (digest) throw challenge(directory.trunks.realmOf(digest));
  throw fail('unauthenticated', 'the trunk at this address needs a client certificate', {
    field: 'tls_subject',
  });
}

/** A trunk that proves itself otherwise may still be tied to addresses. */
function requireSource(trunk: Trunk, request: RouteRequest, directory: Directory): void {
  if (trunk.sourceAddresses.length === 0) return;
  const claims = directory.trunks.at(request.sourceAddress, request.sourcePort);
  if (!claims.some(({ id }) => id === trunk.id))
    throw fail('unauthenticated', `trunk ${trunk.id} may not call from this address`, {
      field: 'source_address',
    });
}

function refuseStranger(request: RouteRequest, directory: Directory): never {
  for (const uri of [request.fromUri, request.requestUri, request.toUri]) {
    const domain = hostOf(uri);
    if (directory.trunks.hasRealm(domain)) throw challenge(domain);
  }
  throw fail('unknown_trunk', 'no trunk matches the source', { field: 'source_address' });
}

function challenge(realm: string) {
  return fail('challenge', `credentials for ${realm} are needed`, { realm });
}

function tenantOf(trunk: Trunk, directory: Directory): Tenant {
  const tenant = directory.tenant(trunk.tenantId);
  if (!tenant) throw fail('unknown_trunk', `trunk ${trunk.id} has no tenant`);
  return tenant;
}
