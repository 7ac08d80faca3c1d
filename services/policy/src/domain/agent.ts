import { type CallmeshError, fail } from '@callmesh/runtime';
import { type DigestAuthorization, ha1For, parseDigest, verifyDigest } from './digest.ts';
import type { Directory } from './directory.ts';
import type { Agent, Credentials, Tenant } from './model.ts';
import type { RouteRequest } from './request.ts';
import { hostOf, parseSipUri } from './sip-uri.ts';
import type { Owner } from './tenant.ts';

/** Nobody's: what an unknown user's password is compared with, so that finding none takes as long. */
const NOBODY: Credentials = { ha1Md5: '0'.repeat(32), ha1Sha256: '0'.repeat(64) };

/**
 * The agent behind a request at the agents' door: it proves who it is by digest,
 * speaks as nobody else, and from a page of its own tenant. A wrong password, a
 * user and a domain that nobody has get one answer: it must not tell which exist.
 * Errors: challenge, unauthenticated, tenant_forbidden, origin_forbidden.
 */
export function ownerByAgent(request: RouteRequest, directory: Directory): Owner & { readonly agent: Agent } {
  const identity = request.method === 'REGISTER' ? request.toUri : request.fromUri;
  const digest = parseDigest(request.authorization);
  if (!digest) throw withoutCredentials(request, identity, directory);
  const tenant = directory.tenantByDomain(digest.realm);
  const agent = tenant && directory.agent(tenant.id, digest.username);
  const proven = verifyDigest(digest, request.method, agent ?? NOBODY);
  if (!tenant || !agent || !proven)
    throw fail('unauthenticated', 'wrong user name or password', { field: 'authorization' });
  requireOwnIdentity(request.method, identity, tenant, agent, directory);
  requireOrigin(request, tenant);
  return { tenant, agent, ...proof(digest, agent), by: `digest of agent ${agent.id}` };
}

function proof(digest: DigestAuthorization, agent: Agent): { ha1: string; realm: string } {
  return { ha1: ha1For(digest, agent), realm: digest.realm };
}

function withoutCredentials(
  { authorization }: RouteRequest,
  identity: string,
  directory: Directory,
): CallmeshError {
  const domain = hostOf(identity);
  if (authorization !== '' || !directory.tenantByDomain(domain))
    return fail('unauthenticated', 'expected a digest with qop=auth and algorithm MD5 or SHA-256', {
      field: 'authorization',
    });
  return fail('challenge', `credentials for ${domain} are needed`, { realm: domain });
}

/** It registers under its user name; a caller may also go by its extension. */
function requireOwnIdentity(
  method: string,
  uri: string,
  tenant: Tenant,
  agent: Agent,
  directory: Directory,
): void {
  const said = parseSipUri(uri);
  const field = method === 'REGISTER' ? 'to_uri' : 'from_uri';
  if (said?.host !== tenant.domain.toLowerCase())
    throw fail('tenant_forbidden', `credentials of ${tenant.domain} do not speak for another domain`, {
      field,
    });
  const meant =
    method === 'REGISTER'
      ? directory.agent(tenant.id, said.user)
      : directory.agentDialled(tenant.id, said.user);
  if (meant?.id !== agent.id)
    throw fail('unauthenticated', 'the credentials are of another agent', { field });
}

/** Only browsers have an origin, and only WebSockets come from browsers. */
function requireOrigin({ transport, origin = '' }: RouteRequest, { id, webOrigins }: Tenant): void {
  if (transport !== 'ws' && transport !== 'wss') return;
  if (!webOrigins?.includes(origin))
    throw fail('origin_forbidden', `pages of ${origin || 'no origin'} may not register agents of ${id}`, {
      field: 'origin',
    });
}
