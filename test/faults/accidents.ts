import type { Mesh, Process } from '@callmesh/local';

/** Something that breaks beside the calls, and is mended again. */
export interface Accident {
  /** "0 calls are lost while ..." */
  readonly name: string;
  happens(mesh: Mesh): Promise<unknown>;
  ends(mesh: Mesh): Promise<unknown>;
}

type Parts = (mesh: Mesh) => readonly Process[];

const each = (parts: Parts, act: (part: Process) => unknown) => (mesh: Mesh) =>
  Promise.all(parts(mesh).map(act));

function killed(what: string, parts: Parts): Accident {
  return {
    name: `${what} is killed and restarted`,
    happens: each(parts, (part) => part.kill()),
    ends: each(parts, (part) => part.start()),
  };
}

function frozen(what: string, parts: Parts): Accident {
  return {
    name: `${what} is frozen`,
    happens: each(parts, (part) => part.freeze()),
    ends: each(parts, (part) => part.thaw()),
  };
}

const service =
  (...names: string[]): Parts =>
  (mesh) =>
    names.map((name) => mesh.service(name));
const POLICIES = service('policy-1', 'policy-2');
const OTHERS = service('session-cache-1', 'tenant-registry-1', 'state-1');
const STORES: Parts = ({ etcd, nats }) => [etcd.process, nats.process];
const ETCD: Parts = ({ etcd }) => [etcd.process];
const NATS: Parts = ({ nats }) => [nats.process];

/** What may break of a mesh with two policies; each leaves it whole. */
export const ACCIDENTS: readonly Accident[] = [
  killed('one policy instance', service('policy-1')),
  killed('every policy instance', POLICIES),
  frozen('one policy instance', service('policy-1')),
  frozen('every policy instance', POLICIES),
  killed('etcd', ETCD),
  killed('nats', NATS),
  ...['session-cache-1', 'tenant-registry-1', 'state-1'].map((name) => killed(name, service(name))),
  frozen('etcd', ETCD),
  frozen('nats', NATS),
  {
    name: 'every service and store but policy is away, and policy itself starts anew from its last snapshot',
    async happens(mesh) {
      await each(
        (one) => [...OTHERS(one), ...STORES(one)],
        (part) => part.kill(),
      )(mesh);
      await mesh.service('policy-1').restart();
    },
    async ends(mesh) {
      await each(STORES, (part) => part.start())(mesh);
      await each(OTHERS, (part) => part.start())(mesh);
    },
  },
];
