import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, Mesh, type MeshSpec } from '@callmesh/local';
import { NodeStatus } from '@callmesh/proto/state';
import { stringify } from 'yaml';
import { Fleet } from './fleet.ts';

const GROUP = 'media';

/** A tenant's PBX and its number. */
interface Caller {
  readonly tenant: string;
  readonly address: string;
  readonly number: string;
}

/** The services of a mesh with many tenants, and nodes that only speak. */
export class Platform {
  readonly mesh: Mesh;
  readonly fleet: Fleet;
  readonly callers: readonly Caller[];
  readonly #dir: string;

  private constructor(mesh: Mesh, fleet: Fleet, callers: readonly Caller[], dir: string) {
    this.mesh = mesh;
    this.fleet = fleet;
    this.callers = callers;
    this.#dir = dir;
  }

  static async start(size: {
    readonly tenants: number;
    readonly nodes: number;
    readonly replicas?: MeshSpec['replicas'];
  }): Promise<Platform> {
    const dir = mkdtempSync(join(tmpdir(), 'callmesh-bench-'));
    const callers = Array.from({ length: size.tenants }, (_, at) => callerOf(at));
    const seed = join(dir, 'seed.yaml');
    writeFileSync(
      seed,
      [{ node_groups: [{ id: GROUP, name: GROUP, role: 'media' }] }, ...callers.map(documentOf)]
        .map((one) => stringify(one))
        .join('---\n'),
    );
    const mesh = await Mesh.start({
      ...{ dir, seed: [seed], nodes: [], rtpengines: 0 },
      ...(size.replicas && { replicas: size.replicas }),
    });
    const platform = new Platform(mesh, new Fleet(size.nodes, GROUP, mesh), callers, dir);
    try {
      await platform.fleet.start();
      await platform.#known();
      return platform;
    } catch (error) {
      await platform.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.fleet.stop();
    await this.mesh.stop();
    rmSync(this.#dir, { recursive: true });
  }

  /** The n-th question of an edge for a new call; each is another call, and tenants take turns. */
  question(n: string, at: number): Record<string, unknown> {
    const { address, number } = this.callers[at % this.callers.length]!;
    return {
      ...{
        edge: 'kama-pstn-1',
        call_id: `${n}-${at}@${address}`,
        source_address: address,
        source_port: 5060,
      },
      ...{ from_uri: `sip:+4989777@${address}`, to_uri: `sip:${number}@127.0.0.1` },
      ...{ request_uri: `sip:${number}@127.0.0.1`, transport: 'udp' },
    };
  }

  async #known(): Promise<void> {
    const up = async () =>
      (await this.mesh.table()).filter(({ status }) => status === NodeStatus.NODE_STATUS_UP).length;
    // And the door.
    await eventually(async () => (await up()) === this.fleet.nodes.length + 1, 'all nodes are up', 60_000);
  }
}

function callerOf(at: number): Caller {
  return {
    tenant: `t${String(at + 1).padStart(4, '0')}`,
    address: `10.1.${at >> 8}.${at & 255}`,
    number: `+49301${String(at).padStart(6, '0')}`,
  };
}

function documentOf({ tenant: id, address, number }: Caller) {
  return {
    tenant: { id, name: id, domain: `${id}.example`, max_calls: 0, max_cps: 0 },
    links: [{ function: 'general', group_id: GROUP, role: 'media' }],
    trunks: [
      {
        id: `${id}-pbx`,
        kind: 'hybrid',
        auth: 'address',
        source_addresses: [address],
        max_channels: 0,
        max_cps: 0,
      },
    ],
    dids: [{ number, function: 'general', destination_kind: 'control' }],
  };
}
