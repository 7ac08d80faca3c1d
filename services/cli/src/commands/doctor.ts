import { CdrServiceClient } from '@callmesh/proto/cdr';
import { NodeAgentServiceClient } from '@callmesh/proto/node';
import { PolicyServiceClient, RouteSessionRequest } from '@callmesh/proto/policy';
import { SessionCacheServiceClient } from '@callmesh/proto/session';
import { type NodeState, StateServiceClient } from '@callmesh/proto/state';
import { TenantRegistryServiceClient } from '@callmesh/proto/tenant';
import { fail } from '@callmesh/runtime';
import { Command } from 'commander';
import { ask, type Connection } from '../connection.ts';
import { inContext } from '../context.ts';
import { type Columns, printRows } from '../output.ts';
import { ago, roleWord, word } from '../words.ts';

/** What one examination found; `advice` says what to do about it. */
interface Finding {
  readonly what: string;
  readonly verdict: 'ok' | 'warning' | 'broken';
  readonly detail: string;
  readonly advice: string;
}

const COLUMNS: Columns<Finding> = {
  '': ({ verdict }) => ({ ok: 'ok', warning: 'WARN', broken: 'BROKEN' })[verdict],
  what: ({ what }) => what,
  found: ({ detail }) => detail,
  'what to do': ({ advice }) => advice,
};

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what is wrong between here and every part of the mesh, and what to do about it')
    .action((_, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const findings = await examine(connection);
        printRows(findings, COLUMNS, format);
        const broken = findings.filter(({ verdict }) => verdict === 'broken').length;
        if (broken > 0) throw fail('unavailable', `${broken} of ${findings.length} examinations failed`);
      }),
    );
}

/** Each examination by itself: one that fails hides no other. */
async function examine(connection: Connection): Promise<Finding[]> {
  const etcd = await examineEtcd(connection);
  const services = await Promise.all(
    SERVICES.map(async ({ service, probe, advice }) => examineService(connection, service, probe, advice)),
  );
  const [nodes, agents] = await Promise.all([examineNodes(connection), examineAgents(connection)]);
  return [etcd, ...services, ...nodes, ...agents];
}

interface Examined {
  readonly service: string;
  /** Asks something harmless that needs the service's own stores. */
  readonly probe: (connection: Connection) => Promise<string>;
  readonly advice: string;
}

const SERVICES: readonly Examined[] = [
  {
    service: 'state',
    probe: async (connection) => {
      const client = await connection.client(StateServiceClient, 'state');
      const { nodes, silentSources } = await ask(connection, client, 'listNodes', {
        role: 'NODE_ROLE_UNSPECIFIED',
        group: '',
      });
      if (silentSources.length > 0) throw fail('unavailable', `silent: ${silentSources.join(', ')}`);
      return `${nodes.length} nodes`;
    },
    advice: 'nodes that die are not noticed: look at its log, at etcd and at NATS',
  },
  {
    service: 'tenant-registry',
    probe: async (connection) => {
      const client = await connection.client(TenantRegistryServiceClient, 'tenant-registry');
      const page = { kind: 'KIND_TENANT', tenantId: '', pageSize: 1, pageToken: '' } as const;
      const { revision } = await ask(connection, client, 'list', page);
      return `revision ${revision}`;
    },
    advice: 'calls go on with what policy knows; changes are not possible: look at its database',
  },
  {
    service: 'session-cache',
    probe: async (connection) => {
      const client = await connection.client(SessionCacheServiceClient, 'session-cache');
      const page = { nodeId: '', tenantId: '', pageSize: 1, pageToken: '' };
      return `${(await ask(connection, client, 'list', page)).total} sessions`;
    },
    advice: 'new sessions are only in the memory of policy: look at its log and at NATS JetStream',
  },
  {
    service: 'policy',
    probe: async (connection) => {
      const client = await connection.client(PolicyServiceClient, 'policy');
      // Refused, as it belongs to nobody; what matters is how old the knowledge is that refuses it.
      const request = RouteSessionRequest.fromPartial({
        callId: 'doctor@cli',
        requestUri: 'sip:doctor@invalid',
      });
      const { snapshotAgeMs } = await ask(connection, client, 'explain', { request });
      return `knows tenants and nodes of ${snapshotAgeMs} ms ago`;
    },
    advice: 'the doors route by their fallback lists: look at its log',
  },
  {
    service: 'call-control',
    probe: async (connection) => {
      const client = await connection.client(CdrServiceClient, 'call-control');
      const any = {
        tenantId: '*',
        party: '',
        disposition: 'DISPOSITION_UNSPECIFIED',
        pageToken: '',
      } as const;
      const { sessions } = await ask(connection, client, 'listSessions', {
        ...any,
        from: undefined,
        until: undefined,
        pageSize: 1,
      });
      return sessions[0] ? `last record began ${ago(sessions[0].startedAt)} ago` : 'no records yet';
    },
    advice:
      'calls in progress go on; new ones stay parked, records wait in NATS: look at its log and database',
  },
];

async function examineEtcd(connection: Connection): Promise<Finding> {
  return finding('etcd', 'discovery does not work from here: is --etcd right, is it running?', async () => {
    const count = await connection.etcd((etcd) => etcd.getAll().prefix('/callmesh/').count());
    return `${count} keys of callmesh`;
  });
}

async function examineService(
  connection: Connection,
  service: string,
  probe: Examined['probe'],
  advice: string,
): Promise<Finding> {
  return finding(service, advice, async () => {
    const addresses = await connection.addresses(service);
    return `${addresses.length} running, ${await probe(connection)}`;
  });
}

async function examineNodes(connection: Connection): Promise<Finding[]> {
  try {
    const client = await connection.client(StateServiceClient, 'state');
    const { nodes } = await ask(connection, client, 'listNodes', {
      role: 'NODE_ROLE_UNSPECIFIED',
      group: '',
    });
    return nodes.map(findingOf);
  } catch {
    // Said already, by the examination of state.
    return [];
  }
}

function findingOf({ node, status, reason, since, load, loadAt }: NodeState): Finding {
  const what = `${roleWord(node!.role)} ${node!.id}`;
  const said = `${word(status, 'NODE_STATUS')} for ${ago(since)}: ${reason}`;
  switch (status) {
    case 'NODE_STATUS_UP': {
      const full = load && load.maxSessions > 0 && load.sessions >= load.maxSessions;
      if (full)
        return {
          what,
          verdict: 'warning',
          detail: `full: ${load.sessions} sessions`,
          advice: 'add nodes to its group',
        };
      return { what, verdict: 'ok', detail: `up, last report ${ago(loadAt)} ago`, advice: '' };
    }
    case 'NODE_STATUS_DRAINING':
    case 'NODE_STATUS_DRAINED':
      return { what, verdict: 'ok', detail: said, advice: 'callmesh node undrain takes it back' };
    default:
      return {
        what,
        verdict: 'broken',
        detail: said,
        advice: `callmesh node show ${node!.id}; look at it and its agent`,
      };
  }
}

/** Each agent, at its own address: what state sees of it came by other ways. */
async function examineAgents(connection: Connection): Promise<Finding[]> {
  const instances = await connection.instances('node-agent').catch(() => new Map<string, string>());
  return Promise.all(
    [...instances].map(([instance, address]) =>
      finding(`agent ${instance}`, 'is its server up, and its gRPC port reachable from here?', async () => {
        const client = connection.open(NodeAgentServiceClient, address, 'node-agent');
        const { node, registered, reconnects } = await ask(connection, client, 'getStatus', {});
        if (!registered) throw fail('unavailable', `${node?.id} is not registered in etcd`);
        return `registered, ${reconnects} reconnects to its server`;
      }),
    ),
  );
}

async function finding(what: string, advice: string, examination: () => Promise<string>): Promise<Finding> {
  try {
    return { what, verdict: 'ok', detail: await examination(), advice: '' };
  } catch (error) {
    return { what, verdict: 'broken', detail: (error as Error).message, advice };
  }
}
