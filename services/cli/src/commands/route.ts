import {
  type Candidate,
  type ExplainResponse,
  PolicyServiceClient,
  RouteSessionRequest,
  type TrunkPlan,
} from '@callmesh/proto/policy';
import { fail } from '@callmesh/runtime';
import { Command, Option } from 'commander';
import { ask } from '../connection.ts';
import { inContext } from '../context.ts';
import { type Columns, printOne, printRows } from '../output.ts';
import { functionOf } from '../words.ts';

const CANDIDATES: Columns<Candidate> = {
  rank: ({ rank }) => rank || '-',
  node: ({ nodeId }) => nodeId,
  group: ({ groupId }) => groupId || '-',
  status: ({ status }) => status,
  sessions: ({ sessions, pending }) => (pending ? `${sessions} (${pending} just assigned)` : sessions),
  max: ({ maxSessions }) => maxSessions || '-',
  refused: ({ refused }) => refused || '-',
};

const PLANS: Columns<TrunkPlan> = {
  trunk: ({ trunkId }) => trunkId,
  called: ({ called }) => called || '-',
  'by rule': ({ calledRule }) => calledRule || '-',
  calling: ({ calling }) => calling || 'hidden',
  'by the rule': ({ callingRule }) => callingRule || '-',
  asserted: ({ assertedIdentity }) => assertedIdentity || '-',
  privacy: ({ privacy }) => privacy || '-',
  refused: ({ refused }) => refused || '-',
};

interface ExplainOptions {
  readonly edge: string;
  readonly from: string;
  readonly source: string;
  readonly transport: string;
  readonly callId: string;
  readonly function?: string;
  readonly affinity: string;
  readonly tenant: string;
}

export function routeCommand(): Command {
  const route = new Command('route').description('decisions, without making one');
  route
    .command('explain <request-uri>')
    .description('which node a new INVITE would go to, and why; nothing is bound')
    .option('--edge <id>', 'edge or node that asks', 'kama-pstn-1')
    .option('--from <uri>', 'From URI', 'sip:anonymous@anonymous.invalid')
    .option('--source <ip:port>', 'where the INVITE came from', '127.0.0.1:5060')
    .addOption(
      new Option('--transport <transport>').choices(['udp', 'tcp', 'tls', 'ws', 'wss']).default('udp'),
    )
    .option('--tenant <tenant>', 'tenant it is placed for, as a service of the mesh would say', '')
    .option('--call-id <call-id>', 'SIP Call-ID: one that is bound shows its binding', 'explain@cli')
    .option('--function <function>', 'function asked for')
    .option('--affinity <key>', 'affinity key asked for', '')
    .action((requestUri: string, options: ExplainOptions, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const policy = await connection.client(PolicyServiceClient, 'policy');
        const request = requestOf(requestUri, options);
        const answer = await ask(connection, policy, 'explain', { request });
        if (format !== 'table') return printOne(answer, {}, format);
        printRows(answer.steps, { step: ({ name }) => name, outcome: ({ outcome }) => outcome }, format);
        process.stdout.write('\n');
        if (answer.candidates.length > 0) printRows(answer.candidates, CANDIDATES, format);
        process.stdout.write(`\n${verdictOf(answer)}\n`);
      }),
    );
  route
    .command('number <called>')
    .description('what number rules make of a call, and which carriers it would try')
    .requiredOption('--tenant <tenant>', 'whose call it is')
    .option('--trunk <trunk>', 'only by this trunk', '')
    .addOption(
      new Option('--direction <direction>', 'seen from the platform')
        .choices(['inbound', 'outbound'])
        .default('outbound'),
    )
    .option('--calling <number>', 'calling number', '')
    .option('--anonymous', 'the caller wants to stay unknown', false)
    .action((called: string, options: NumberOptions, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const policy = await connection.client(PolicyServiceClient, 'policy');
        const answer = await ask(connection, policy, 'explainNumber', {
          tenantId: options.tenant,
          trunkId: options.trunk,
          direction: options.direction === 'inbound' ? 'DIRECTION_INBOUND' : 'DIRECTION_OUTBOUND',
          called,
          calling: options.calling,
          anonymous: options.anonymous,
        });
        if (format !== 'table') return printOne(answer, {}, format);
        printRows(answer.plans, PLANS, format);
        if (answer.refusedCode)
          process.stdout.write(`refused: ${answer.refusedCode}, ${answer.refusedReason}\n`);
      }),
    );
  return route;
}

interface NumberOptions {
  readonly tenant: string;
  readonly trunk: string;
  readonly direction: 'inbound' | 'outbound';
  readonly calling: string;
  readonly anonymous: boolean;
}

function requestOf(requestUri: string, options: ExplainOptions): RouteSessionRequest {
  const source = /^(\[[0-9a-fA-F:.]+\]|[0-9.]+)(?::(\d{1,5}))?$/.exec(options.source);
  if (!source) throw fail('invalid_argument', '--source: expected <ip> or <ip>:<port>');
  return RouteSessionRequest.fromPartial({
    edgeId: options.edge,
    callId: options.callId,
    fromUri: options.from,
    toUri: requestUri,
    requestUri,
    sourceAddress: source[1]!.replace(/[[\]]/g, ''),
    sourcePort: Number(source[2] ?? 5060),
    transport: options.transport,
    method: 'INVITE',
    tenantId: options.tenant,
    affinityKey: options.affinity,
    ...(options.function && { function: functionOf(options.function) }),
  });
}

function verdictOf({ decision, refusedCode, sipStatus, snapshotAgeMs }: ExplainResponse): string {
  const age = `seen ${snapshotAgeMs} ms ago at the oldest`;
  if (!decision) return `refused: ${refusedCode}, SIP ${sipStatus}; ${age}`;
  return `${decision.targets[0]?.nodeId}: ${decision.reason}; ${age}`;
}
