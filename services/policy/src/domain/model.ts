/** What a node does for a session (fs-router, fs-media, fs-tandem) or in front of it (Kamailio). */
export type Role = 'router' | 'media' | 'tandem';
export type EdgeRole = 'kama-wss' | 'kama-pstn';

/** What a session is for; a tenant links each function to a node group. */
export const functionNames = [
  'general',
  'gray',
  'outbound-bot',
  'inbound-bot',
  'predictive',
  'conference',
  'internal',
] as const;
export type FunctionName = (typeof functionNames)[number];

export type NodeStatus = 'up' | 'suspect' | 'draining' | 'drained' | 'down';

/** Uniform numbers in [0, 1); passed in, so that a decision can be repeated. */
export type Random = () => number;

export interface Tenant {
  readonly id: string;
  /** SIP domain, lower case: realm of its agents. */
  readonly domain: string;
  readonly enabled: boolean;
  /** Most concurrent sessions; 0 means unlimited. */
  readonly maxCalls: number;
  /** Most new sessions a second; 0 means unlimited. */
  readonly maxCps: number;
  /** Prefixes this tenant may call; empty means any. */
  readonly allowedDestinations: readonly string[];
  /** Prefixes this tenant may not call; of allowed and blocked the longest match decides. */
  readonly blockedDestinations: readonly string[];
  /** False blocks the platform's premium prefixes too. */
  readonly premiumAllowed: boolean;
  /** Share of its general sessions that are gray, percent 0-100. */
  readonly canaryPercent: number;
  /** Origins of the pages its agents may be on; a snapshot of an older release has none. */
  readonly webOrigins?: readonly string[] | undefined;
}

export interface Group {
  readonly id: string;
  /** Name of a strategy; empty means lightest. */
  readonly strategy: string;
}

/** A tenant's function and the group its new sessions go to; tenant "*" is the platform. */
export interface Link {
  readonly id: string;
  readonly tenantId: string;
  readonly function: FunctionName;
  readonly role: Role;
  readonly groupId: string;
}

export interface Credentials {
  /** H(username:realm:password) in lower-case hex; empty when not known for that hash. */
  readonly ha1Md5: string;
  readonly ha1Sha256: string;
}

export interface Agent extends Credentials {
  readonly id: string;
  readonly tenantId: string;
  readonly username: string;
  /** For people. */
  readonly displayName: string;
  readonly extension: string;
  readonly enabled: boolean;
  /** True: has a mailbox. */
  readonly voicemail: boolean;
}

export type DestinationKind =
  | 'agent'
  | 'ring-group'
  | 'conference'
  | 'announcement'
  | 'voicemail'
  | 'external'
  | 'control'
  | 'trunk';

export interface Did {
  /** E.164 with "+". */
  readonly number: string;
  readonly tenantId: string;
  readonly function: FunctionName | undefined;
  readonly destinationKind: DestinationKind;
  readonly destination: string;
}

export interface Trunk extends Credentials {
  readonly id: string;
  readonly tenantId: string;
  readonly kind: 'hybrid' | 'carrier';
  readonly auth: 'address' | 'digest' | 'tls';
  /** "<ip>", "<ip>:<port>" or CIDR. */
  readonly sourceAddresses: readonly string[];
  readonly username: string;
  /** Empty: the tenant's domain. */
  readonly realm: string;
  readonly tlsSubject: string;
  readonly maxChannels: number;
  readonly maxCps: number;
  readonly enabled: boolean;
  readonly mediaAnchor: 'auto' | 'always' | 'never';
  /** Function of calls that reach no DID. */
  readonly function: FunctionName | undefined;
  /** Where calls to it are sent; empty: it only calls in. */
  readonly contactUri: string;
  /** Lower is tried first. */
  readonly priority: number;
  /** Share among trunks of one priority, 1-1000. */
  readonly weight: number;
  /** A carrier: prefixes it takes, empty means any. A PBX: its numbers. */
  readonly servedPrefixes: readonly string[];
  /** Presented for callers who may not present their own; empty: the tenant's first number. */
  readonly callerNumber: string;
  readonly callerPolicy: 'own' | 'any';
  readonly identityHeader: 'p-asserted-identity' | 'remote-party-id' | 'none';
  /** FreeSWITCH's causes after which the next carrier is tried; empty: the platform's. */
  readonly failoverCauses: readonly string[];
}

/** Which way a call goes through a trunk, seen from the platform. */
export type Direction = 'inbound' | 'outbound';
/** Which of its numbers. */
export type Party = 'called' | 'calling';

/** Rewrites a number on its way through a trunk; of one trunk, direction and party the first match ends. */
export interface NumberRule {
  readonly id: string;
  readonly trunkId: string;
  readonly direction: Direction;
  readonly party: Party;
  readonly position: number;
  readonly match: string;
  readonly strip: number;
  readonly prepend: string;
}

/** Where a node is placed; overrides what the node registers of itself. */
export interface Placement {
  readonly id: string;
  readonly groupId: string;
  /** 0 keeps what the node registers. */
  readonly weight: number;
  /** 0 keeps what the node registers. */
  readonly maxSessions: number;
}

/** A node as the node table tells of it. */
export interface NodeRecord {
  readonly id: string;
  readonly role: Role | EdgeRole;
  readonly group: string;
  /** "sip:10.0.0.7:5060;transport=udp". */
  readonly sipUri: string;
  /** "ip:port" it sends SIP from beside that. */
  readonly sources: readonly string[];
  readonly zone: string;
  /** 1-1000. */
  readonly weight: number;
  /** Most channels; 0 means no limit. */
  readonly maxSessions: number;
  /** Core-UUID: another epoch is another life. */
  readonly epoch: string;
  readonly status: NodeStatus;
}

/** A session and the life of a node it lives on. */
export interface Binding {
  readonly sessionId: string;
  readonly tenantId: string;
  readonly callId: string;
  /** Empty: only this Call-ID. */
  readonly affinityKey: string;
  readonly nodeId: string;
  readonly nodeEpoch: string;
  readonly role: Role;
  readonly function: FunctionName;
  readonly groupId: string;
  readonly trunkId: string;
  /** Edge or node that asked. */
  readonly edgeId: string;
}

/** A device an agent is registered with. */
export interface Contact {
  /** As it was registered. */
  readonly uri: string;
  /** Path that reaches it, outermost first (RFC 3327). */
  readonly path: readonly string[];
  /** fs-router that took the registration. */
  readonly routerId: string;
  readonly tenantId: string;
}
