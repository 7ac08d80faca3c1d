import type { DesiredState, LoadReport, Node } from '@callmesh/proto/node';

/** What was observed of one node. Times are Unix milliseconds. */
export interface Facts {
  /** As it registered last, in this life. */
  readonly node: Node;
  /** When this life was first seen. */
  readonly seenAt: number;
  /** Since when its key is gone from etcd; undefined while it is there. */
  readonly leaseLostAt: number | undefined;
  /** Its last report of this life, and when it came. */
  readonly load: LoadReport | undefined;
  readonly loadAt: number | undefined;
  /** Its own agent said that the server is gone, when and why. */
  readonly reportedDown: { readonly at: number; readonly reason: string } | undefined;
  readonly desired: DesiredState;
}

/** How the stores are that the observations come by. */
export interface Sources {
  /** Since when etcd answers without interruption; undefined while it is silent. */
  readonly etcdSince: number | undefined;
  /** The same of NATS. */
  readonly natsSince: number | undefined;
  /** True when some node's load report came within the silence limit: the bus does carry reports. */
  readonly somebodyReports: boolean;
  /** Nodes that are registered, whatever their load. */
  readonly registered: number;
}

export interface Limits {
  readonly silenceMs: number;
  readonly graceMs: number;
}
