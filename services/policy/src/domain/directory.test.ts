import { describe, expect, it } from 'vitest';
import { Directory } from './directory.ts';
import type { Tenant, Trunk } from './model.ts';

const tenant = (over: Partial<Tenant> = {}): Tenant => ({
  id: 'acme',
  domain: 'acme.example',
  enabled: true,
  maxCalls: 0,
  maxCps: 0,
  allowedDestinations: [],
  blockedDestinations: [],
  premiumAllowed: false,
  canaryPercent: 0,
  ...over,
});
const trunk = (over: Partial<Trunk> = {}): Trunk => ({
  id: 'pbx',
  tenantId: 'acme',
  kind: 'hybrid',
  auth: 'digest',
  sourceAddresses: [],
  username: 'pbx',
  realm: '',
  tlsSubject: '',
  ha1Md5: '',
  ha1Sha256: '',
  maxChannels: 0,
  maxCps: 0,
  enabled: true,
  mediaAnchor: 'auto',
  function: undefined,
  contactUri: '',
  priority: 0,
  weight: 1,
  servedPrefixes: [],
  callerNumber: '',
  callerPolicy: 'own',
  identityHeader: 'p-asserted-identity',
  failoverCauses: [],
  ...over,
});
const ids = (trunks: Trunk[]) => trunks.map(({ id }) => id);

describe('the directory', () => {
  it('finds a digest trunk at its tenant’s domain whichever came first', () => {
    const directory = new Directory();
    directory.put({ kind: 'trunk', value: trunk() });
    directory.put({ kind: 'tenant', value: tenant() });
    expect(ids(directory.trunks.byLogin('pbx', 'ACME.example'))).toEqual(['pbx']);
  });

  it('moves that trunk when the domain changes', () => {
    const directory = new Directory();
    directory.put({ kind: 'tenant', value: tenant() });
    directory.put({ kind: 'trunk', value: trunk() });
    directory.put({ kind: 'tenant', value: tenant({ domain: 'new.example' }) });
    expect(ids(directory.trunks.byLogin('pbx', 'new.example'))).toEqual(['pbx']);
    expect(directory.trunks.hasRealm('acme.example')).toBe(false);
    expect(directory.tenantByDomain('acme.example')).toBeUndefined();
  });

  it('forgets addresses a trunk no longer has', () => {
    const directory = new Directory();
    const at = { auth: 'address' as const };
    directory.put({ kind: 'trunk', value: trunk({ ...at, sourceAddresses: ['192.0.2.1', '192.0.2.0/24'] }) });
    directory.put({ kind: 'trunk', value: trunk({ ...at, sourceAddresses: ['192.0.2.2'] }) });
    expect(ids(directory.trunks.at('192.0.2.1', 5060))).toEqual([]);
    expect(ids(directory.trunks.at('192.0.2.2', 5060))).toEqual(['pbx']);
    directory.remove('trunk', 'pbx');
    expect(ids(directory.trunks.at('192.0.2.2', 5060))).toEqual([]);
  });

  it('keeps an extension that another agent took over meanwhile', () => {
    const directory = new Directory();
    const agent = (username: string) => ({
      kind: 'agent' as const,
      value: {
        id: `${username}@acme.example`,
        tenantId: 'acme',
        username,
        displayName: '',
        extension: '100',
        enabled: true,
        voicemail: true,
        ha1Md5: '',
        ha1Sha256: '',
      },
    });
    directory.put(agent('alice'));
    directory.put(agent('bob'));
    directory.remove('agent', 'alice@acme.example');
    expect(directory.agentDialled('acme', '100')?.username).toBe('bob');
  });
});
