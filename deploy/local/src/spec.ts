import type { RoleName } from '@callmesh/runtime';
import type { EventSocket } from './freeswitch.ts';
import type { Process } from './process.ts';
import type { ServiceName } from './service.ts';

export interface NodeSpec {
  readonly id: string;
  readonly role: Exclude<RoleName, 'kama-wss' | 'kama-pstn'>;
  readonly group: string;
  /** Channels it carries; 0 means no limit. */
  readonly max?: number;
  readonly zone?: string;
  readonly weight?: number;
  /** What carries the calls; a stand-in unless told. */
  readonly server?: 'standin' | 'freeswitch';
  /** fs-tandem: what proves to a carrier who we are, by trunk. */
  readonly carriers?: Record<string, { readonly password: string }>;
  /** What becomes of it when its agent is asked to stop; given up at once unless told, as a mesh stops sooner than calls. */
  readonly onStop?: 'drain' | 'leave';
  /** Whether its answered legs are kept outside it, for others to go on with; they are unless told. */
  readonly takeover?: boolean;
  /** Settings of the stand-in, see test/standin/node/settings.ts. */
  readonly set?: Settings;
}

/** Values of a stand-in's settings. */
export type Settings = Record<string, string | number | boolean>;

/** An agents' door, kama-wss. */
export interface DoorSpec {
  readonly id: string;
  /** Takes WSS and SIP over TLS too, with a certificate made when it starts. */
  readonly tls?: boolean;
  /** Knobs that differ from kamailio/params/knobs.cfg. */
  readonly knobs?: Record<string, string>;
}

export interface MeshSpec {
  /** Folder for logs and data; a temporary one, removed at the end, unless given. */
  readonly dir?: string;
  /** YAML files (docs/operations.md, Tenants as YAML) that the registry starts with. */
  readonly seed: readonly string[];
  readonly nodes: readonly NodeSpec[];
  /** How many instances of a service; one unless told, and of call-control none. */
  readonly replicas?: Partial<Record<ServiceName, number>>;
  /** How many rtpengines the doors share; one unless told. */
  readonly rtpengines?: number;
  /** Doors for agents; none unless told. */
  readonly doors?: readonly DoorSpec[];
  /** Further keys of policy's config. */
  readonly policy?: Record<string, unknown>;
  /** Further keys of call-control's config. */
  readonly callControl?: Record<string, unknown>;
  /** Knobs of the enterprises' door that differ from kamailio/params/knobs.cfg. */
  readonly knobs?: Record<string, string>;
  /** The `telemetry` section of every service. */
  readonly telemetry?: Record<string, unknown>;
  readonly progress?: (what: string) => void;
}

/** A node of the mesh: the server and the agent beside it. */
export interface MeshNode {
  readonly spec: NodeSpec;
  readonly server: Process;
  readonly agent: Process;
  /** "127.0.0.1:port" it takes SIP at. */
  readonly sip: string;
  readonly esl: EventSocket;
  /** fs-tandem: "127.0.0.1:port" it takes carriers' calls at. */
  readonly carrier?: string;
}
