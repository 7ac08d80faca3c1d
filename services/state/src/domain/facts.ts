import type { DesiredState, LoadReport, Node } from '@callmesh/proto/node';

/** What was observed of one node in its present life. Times are Unix milliseconds. */
export interface Facts {
  /** As it registered last. */
  readonly node: Node;
  /** When this life was first seen. */
  readonly seenAt: number;
  /** Epochs of lives that are over: what still comes of them is late and counts for nothing. */
  readonly pastEpochs: readonly string[];
  /** Since when its key is gone from etcd; undefined while it is there. */
  readonly leaseLostAt: number | undefined;
  /** Its last load report of this life, and when it came. */
  readonly load: LoadReport | undefined;
  readonly loadAt: number | undefined;
  /** Its own agent said that the server is gone, when and why. */
  readonly reportedDown: { readonly at: number; readonly reason: string } | undefined;
  /** When it answered SIP last; it is asked only while a store misses it. */
  readonly sipAnsweredAt?: number | undefined;
  readonly desired: DesiredState;
  /** Since when that is wanted. */
  readonly desiredAt: number;
}

/** How the stores are that the observations come by. */
export interface Sources {
  /** Since when etcd answers without a gap; undefined while it is silent. */
  readonly etcdSince: number | undefined;
  /** The same of NATS. */
  readonly natsSince: number | undefined;
  /** All that nodes had published on NATS before this moment has arrived here. */
  readonly natsProvenAt: number;
}

export interface Limits {
  /** Load reports missing for longer speak against a node. */
  readonly silenceMs: number;
  /** How long nodes have to come back to a store that was away before their absence counts. */
  readonly graceMs: number;
}

/** A late report is one that is missing, but not yet for long enough to count. */
export function isLate({ loadAt, seenAt }: Facts, { natsProvenAt }: Sources, ms: number): boolean {
  return natsProvenAt - (loadAt ?? seenAt) > ms;
}
