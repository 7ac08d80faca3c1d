import type { Trunk } from '../../domain/model.ts';
import type { Mesh } from '../../mesh.ts';
import type { DirectoryUser } from './xml.ts';

type Fields = Readonly<Record<string, string>>;

/**
 * The user a node asks about; undefined when there is none, or none that this node has
 * to do with: trunks that log in at a tandem, mailboxes at a media node. Agents'
 * passwords stay at the doors, so nobody can log in as one here.
 */
export function directoryAnswerer({ directory, nodes }: Mesh) {
  return (fields: Fields): DirectoryUser | undefined => {
    const role = nodes.get(fields.hostname ?? '')?.role;
    if (fields.action === 'sip_auth')
      return role === 'tandem' ? login(fields, directory.trunks.byLogin.bind(directory.trunks)) : undefined;
    return role === 'media' || role === 'router' ? mailbox(fields, directory) : undefined;
  };
}

function login(
  { sip_auth_username: user = '', sip_auth_realm: realm = '' }: Fields,
  byLogin: (user: string, realm: string) => Trunk[],
): DirectoryUser | undefined {
  const trunk = byLogin(user, realm).find(
    ({ kind, enabled, ha1Md5 }) => kind === 'carrier' && enabled && ha1Md5,
  );
  return (
    trunk && {
      domain: realm,
      id: user,
      params: { 'a1-hash': trunk.ha1Md5 },
      variables: { callmesh_trunk: trunk.id },
    }
  );
}

function mailbox(
  { user = '', domain = '' }: Fields,
  directory: Mesh['directory'],
): DirectoryUser | undefined {
  const tenant = directory.tenantByDomain(domain);
  const agent = tenant && directory.agent(tenant.id, user);
  return (
    agent && {
      domain: tenant.domain,
      id: agent.username,
      params: { 'vm-enabled': String(agent.voicemail) },
      variables: { callmesh_agent: agent.id },
    }
  );
}
