import { createHash } from 'node:crypto';
import { AgentLegs } from '../../src/domain/agent-legs.ts';
import { BindingMemory } from '../../src/domain/bindings.ts';
import { Directory, PLATFORM } from '../../src/domain/directory.ts';
import { Ledger } from '../../src/domain/ledger.ts';
import type { Binding, DestinationKind, FunctionName, Role } from '../../src/domain/model.ts';
import { NodeTable } from '../../src/domain/node-table.ts';
import type { RouteRequest } from '../../src/domain/request.ts';
import type { Snapshot } from '../../src/domain/snapshot.ts';
import { Usage } from '../../src/domain/usage.ts';
import type { CallSpec, World, WorldBinding } from './world-schema.ts';

/** Epoch every node of a test world lives in. */
export const EPOCH = 'e1';

export interface TestSnapshot extends Snapshot {
  readonly ledger: Ledger;
  readonly turns: Map<string, string>;
}

/** Builds what policy would know of this world. */
export function buildSnapshot(world: World): TestSnapshot {
  const ledger = new Ledger();
  const directory = new Directory();
  const nodes = new NodeTable(ledger, (id) => directory.placement(id));
  directory.onPlacement = (id) => nodes.refresh(id);
  const snapshot = {
    directory,
    nodes,
    ledger,
    bindings: new BindingMemory(1_000),
    usage: new Usage(),
    agents: new AgentLegs(),
    turns: new Map(),
    premiumPrefixes: world.premium,
  };
  fillSnapshot(snapshot, world);
  return snapshot;
}

/** Tells a snapshot of this world. */
export function fillSnapshot(
  { directory, nodes, ledger }: Pick<TestSnapshot, 'directory' | 'nodes' | 'ledger'>,
  world: World,
): void {
  for (const [id, { strategy }] of Object.entries(world.groups))
    directory.put({ kind: 'group', value: { id, strategy } });
  addLinks(directory, PLATFORM, world.platform_links);
  for (const [id, tenant] of Object.entries(world.tenants)) addTenant(directory, id, tenant);
  for (const [id, { group, weight, max }] of Object.entries(world.placements))
    directory.put({ kind: 'placement', value: { id, groupId: group, weight, maxSessions: max } });
  for (const [id, node] of Object.entries(world.nodes)) addNode(nodes, ledger, id, node);
}

function addLinks(directory: Directory, tenantId: string, links: Record<string, string>): void {
  for (const [name, groupId] of Object.entries(links)) {
    const [fn, role = 'media'] = name.split('/') as [FunctionName, Role?];
    directory.put({
      kind: 'link',
      value: { id: `${tenantId}/${fn}/${role}`, tenantId, function: fn, role, groupId },
    });
  }
}

function addTenant(directory: Directory, id: string, tenant: World['tenants'][string]): void {
  addLinks(directory, id, tenant.links);
  for (const [trunkId, trunk] of Object.entries(tenant.trunks))
    addTrunk(directory, id, trunkId, trunk, tenant.domain);
  directory.put({
    kind: 'tenant',
    value: {
      id,
      domain: tenant.domain,
      enabled: tenant.enabled,
      maxCalls: tenant.max_calls,
      maxCps: tenant.max_cps,
      allowedDestinations: tenant.allowed_destinations,
      blockedDestinations: tenant.blocked_destinations,
      premiumAllowed: tenant.premium_allowed,
      canaryPercent: tenant.canary_percent,
      webOrigins: tenant.web_origins,
    },
  });
  for (const [username, agent] of Object.entries(tenant.agents)) {
    const { extension, enabled, voicemail, name: displayName } = agent;
    const hashes = ha1(username, tenant.domain, agent.password);
    const identity = { id: `${username}@${tenant.domain}`, tenantId: id, username, displayName };
    directory.put({ kind: 'agent', value: { ...identity, extension, enabled, voicemail, ...hashes } });
  }
  for (const [number, { function: fn, to }] of Object.entries(tenant.numbers)) {
    const [destinationKind, ...rest] = to.split(' ') as [DestinationKind, ...string[]];
    const destination = rest.join('');
    directory.put({
      kind: 'did',
      value: { number, tenantId: id, function: fn, destinationKind, destination },
    });
  }
}

function addTrunk(
  directory: Directory,
  tenantId: string,
  id: string,
  trunk: World['tenants'][string]['trunks'][string],
  domain: string,
): void {
  const { username = '', password = '' } = trunk;
  directory.put({
    kind: 'trunk',
    value: {
      id,
      tenantId,
      kind: trunk.kind,
      auth: trunk.auth,
      sourceAddresses: trunk.from,
      username,
      realm: trunk.realm,
      ...(password ? ha1(username, trunk.realm || domain, password) : { ha1Md5: '', ha1Sha256: '' }),
      tlsSubject: trunk.tls_subject,
      maxChannels: trunk.max_channels,
      maxCps: trunk.max_cps,
      enabled: trunk.enabled,
      mediaAnchor: 'auto',
      function: trunk.function,
      contactUri: trunk.contact,
      priority: trunk.priority,
      weight: trunk.weight,
      servedPrefixes: trunk.serves,
      callerNumber: trunk.caller_number,
      callerPolicy: trunk.caller_policy,
      identityHeader: trunk.identity_header,
      failoverCauses: trunk.failover_causes,
    },
  });
  for (const direction of ['inbound', 'outbound'] as const)
    for (const party of ['called', 'calling'] as const)
      for (const [index, rule] of trunk.rules[direction][party].entries()) {
        const position = index + 1;
        const ruleId = `${id}/${direction}/${party}/${position}`;
        directory.put({
          kind: 'rule',
          value: { id: ruleId, trunkId: id, direction, party, position, ...rule },
        });
      }
}

function addNode(nodes: NodeTable, ledger: Ledger, id: string, node: World['nodes'][string]): void {
  nodes.put({
    id,
    role: node.role,
    group: node.group,
    sipUri: `sip:${node.at};transport=udp`,
    sources: node.also_at,
    zone: node.zone,
    weight: node.weight,
    maxSessions: node.max,
    epoch: EPOCH,
    status: node.status,
  });
  ledger.report(
    {
      nodeId: id,
      epoch: EPOCH,
      sessions: node.sessions,
      max: node.accepts,
      seq: 1,
      startedSessions: [],
      backend: node.agent_reports,
    },
    0,
  );
  for (let i = 0; i < node.pending; i += 1) ledger.assign(id, EPOCH, `pending-${i}`, 0);
}

export function buildBinding(spec: WorldBinding): Binding {
  return {
    sessionId: spec.session,
    tenantId: spec.tenant,
    callId: spec.call_id,
    affinityKey: spec.affinity,
    nodeId: spec.node,
    nodeEpoch: spec.epoch ?? EPOCH,
    role: spec.role,
    function: spec.function,
    groupId: spec.group,
    trunkId: '',
    edgeId: 'kama-pstn-1',
  };
}

export function buildRequest(call: CallSpec): RouteRequest {
  const requestUri = call.request_uri ?? `sip:${call.to}@10.0.9.1:5060`;
  const colon = call.source.lastIndexOf(':');
  const { function: fn, affinity, role, tenant, trunk, agent, tried = [] } = call.ask ?? {};
  return {
    edge: call.edge,
    callId: call.call_id,
    method: 'INVITE',
    fromUri: call.from,
    toUri: requestUri,
    requestUri,
    sourceAddress: call.source.slice(0, colon).replace(/^\[|\]$/g, ''),
    sourcePort: Number(call.source.slice(colon + 1)),
    transport: call.transport,
    authorization: call.login ? authorizationOf(call.login, requestUri, 'INVITE') : '',
    tlsSubject: call.tls_subject,
    origin: call.origin,
    hint: {
      function: fn,
      affinityKey: affinity,
      role,
      tenantId: tenant,
      trunkId: trunk,
      agentId: agent,
      triedNodes: tried,
    },
  };
}

/** The Authorization header a phone with this password sends (RFC 7616 section 3.4). */
export function authorizationOf(login: NonNullable<CallSpec['login']>, uri: string, method: string): string {
  const { user, realm, password, algorithm } = login;
  const [nonce, nc, cnonce] = ['bm9uY2U', '00000001', '0a4f113b'];
  const hash = algorithm === 'MD5' ? md5 : sha256;
  const response = hash(
    `${hash(`${user}:${realm}:${password}`)}:${nonce}:${nc}:${cnonce}:auth:${hash(`${method}:${uri}`)}`,
  );
  return `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=${algorithm}, cnonce="${cnonce}", qop=auth, nc=${nc}`;
}

function ha1(user: string, realm: string, password: string): { ha1Md5: string; ha1Sha256: string } {
  const text = `${user}:${realm}:${password}`;
  return { ha1Md5: md5(text), ha1Sha256: sha256(text) };
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
