import { CdrServiceClient } from '@callmesh/proto/cdr';
import { CallControlServiceClient } from '@callmesh/proto/control';
import type { Decided } from '@callmesh/proto/policy';
import { type Binding, SessionCacheServiceClient } from '@callmesh/proto/session';
import { type SessionMove, StateServiceClient } from '@callmesh/proto/state';
import { CallmeshError, fail } from '@callmesh/runtime';
import { Command } from 'commander';
import { ask, type Connection } from '../connection.ts';
import { inContext } from '../context.ts';
import { type Columns, printOne, printRows } from '../output.ts';
import { ago, roleWord, word } from '../words.ts';

const SESSION_ID = /^[0-9a-f]{16}$/;

/** All that is known of one session. */
interface Story {
  readonly decisions: readonly Decided[];
  readonly moves: readonly SessionMove[];
  readonly binding?: Binding | undefined;
  readonly legs: readonly LiveLeg[];
  readonly record?: Awaited<ReturnType<typeof recordOf>>;
}

export function sessionCommand(): Command {
  const session = new Command('session').description('one session');
  session
    .command('show')
    .argument('<key>', 'session id or Call-ID')
    .description('the story of one call: why this node, where it lives or lived, its legs, how it ended')
    .option('--tenant <tenant>', 'whose it is, where no decision about it is remembered', '')
    .action((key: string, { tenant }: { tenant: string }, command: Command) =>
      inContext(command, async ({ connection, format }) => {
        const story = await storyOf(connection, key, tenant);
        if (format !== 'table') return printOne(story, {}, format);
        const { decisions, moves, binding, legs, record } = story;
        const chapter = chapters();
        if (decisions.length > 0) chapter('decision', () => printRows(decisions, DECISIONS, format));
        if (moves.length > 0) chapter('moves', () => printRows(moves, MOVES, format));
        if (binding) chapter('lives on', () => printOne(binding, BINDING, format));
        if (legs.length > 0) chapter('legs', () => printRows(legs, LIVE, format));
        if (record?.session) chapter('record', () => printOne(record.session!, RECORD, format));
        if (record?.legs.length) chapter('legs that ended', () => printRows(record.legs, ENDED, format));
      }),
    );
  return session;
}

/** Each with its name above it, and a line between. */
function chapters(): (name: string, print: () => void) => void {
  let first = true;
  return (name, print) => {
    process.stdout.write(`${first ? '' : '\n'}${name.toUpperCase()}\n`);
    first = false;
    print();
  };
}

const DECISIONS: Columns<Decided> = {
  at: ({ at }) => at?.toISOString() ?? '-',
  'asked by': ({ edgeId }) => edgeId || '-',
  group: ({ groupId }) => groupId || '-',
  node: ({ nodeId }) => nodeId || '-',
  why: ({ refusedCode, reason }) => (refusedCode ? `refused, ${refusedCode}: ${reason}` : reason),
};

const MOVES: Columns<SessionMove> = {
  at: ({ at }) => at?.toISOString() ?? '-',
  from: ({ fromNodeId }) => fromNodeId,
  to: ({ toNodeId }) => toNodeId,
};

const BINDING: Columns<Binding> = {
  session: ({ sessionId }) => sessionId,
  'call-id': ({ callId }) => callId,
  tenant: ({ tenantId }) => tenantId,
  function: (binding) => word(binding.function, 'FUNCTION'),
  group: ({ groupId }) => groupId || '-',
  node: ({ nodeId, role }) => `${nodeId} (${roleWord(role)})`,
  state: ({ state }) => word(state, 'BINDING_STATE'),
  age: ({ createdAt }) => ago(createdAt),
};

type LiveLeg = Awaited<ReturnType<typeof liveLegs>>[number];
const LIVE: Columns<LiveLeg> = {
  leg: ({ legUuid }) => legUuid,
  node: ({ nodeId }) => nodeId,
  direction: ({ outbound }) => (outbound ? 'out' : 'in'),
  caller: ({ caller }) => caller,
  callee: ({ callee }) => callee,
  agent: ({ agentId }) => agentId || '-',
};

type SessionRecord = NonNullable<NonNullable<Awaited<ReturnType<typeof recordOf>>>['session']>;
const RECORD: Columns<SessionRecord> = {
  started: ({ startedAt }) => startedAt?.toISOString() ?? '-',
  answered: ({ answeredAt }) => answeredAt?.toISOString() ?? '-',
  ended: ({ endedAt }) => endedAt?.toISOString() ?? '-',
  outcome: ({ disposition }) => word(disposition, 'DISPOSITION'),
  cause: ({ hangupCause }) => hangupCause,
  'ended by': ({ endedBy }) => endedBy || '-',
  nodes: ({ nodeIds }) => nodeIds.join(' -> '),
  trunks: ({ trunkIds }) => trunkIds.join(' -> ') || '-',
};

type LegRecord = NonNullable<Awaited<ReturnType<typeof recordOf>>>['legs'][number];
const ENDED: Columns<LegRecord> = {
  leg: ({ legUuid }) => legUuid,
  node: ({ nodeId }) => nodeId,
  direction: ({ outbound }) => (outbound ? 'out' : 'in'),
  caller: ({ caller }) => caller,
  callee: ({ callee }) => callee,
  outcome: ({ disposition }) => word(disposition, 'DISPOSITION'),
  cause: ({ hangupCause }) => hangupCause,
  mos: ({ summary }) => summary?.quality?.mos.toFixed(2) ?? '-',
};

async function storyOf(connection: Connection, key: string, tenant: string): Promise<Story> {
  const byId = SESSION_ID.test(key);
  const { decisions, moves } = await remembered(connection, byId ? key : '', byId ? '' : key, tenant);
  const decided = decisions.find(({ sessionId }) => sessionId !== '');
  const tenantId = tenant || decided?.tenantId || '';
  const binding = await bindingOf(connection, byId ? key : (decided?.sessionId ?? ''), key, tenantId);
  const whose = binding ?? { tenantId, sessionId: byId ? key : (decided?.sessionId ?? '') };
  const legs = binding ? await liveLegs(connection, whose) : [];
  const record = whose.tenantId && whose.sessionId ? await recordOf(connection, whose) : undefined;
  if (decisions.length === 0 && !binding && !record) throw nothingKnown(key, byId, tenantId);
  return { decisions, moves, binding, legs, record };
}

function nothingKnown(key: string, byId: boolean, tenantId: string): CallmeshError {
  const hint = byId ? '' : '; one that ended is found by its session id (callmesh cdr)';
  if (!tenantId)
    return fail(
      'session_gone',
      `no session ${key} lives, and no decision about it is remembered; --tenant finds more${hint}`,
    );
  return fail('session_gone', `no session ${key} of ${tenantId} lives, and no record of it is kept${hint}`);
}

/** What state heard of it. Without state the rest of the story is told all the same. */
async function remembered(connection: Connection, sessionId: string, callId: string, tenantId: string) {
  try {
    const state = await connection.client(StateServiceClient, 'state');
    return await ask(connection, state, 'listDecisions', {
      sessionId,
      callId,
      tenantId,
      nodeId: '',
      limit: 0,
    });
  } catch (error) {
    if (!(error instanceof CallmeshError) || !['unavailable', 'deadline'].includes(error.code)) throw error;
    process.stderr.write(`state does not answer, so no decision is shown: ${error.message}\n`);
    return { decisions: [], moves: [] };
  }
}

async function bindingOf(
  connection: Connection,
  sessionId: string,
  callId: string,
  tenantId: string,
): Promise<Binding | undefined> {
  const cache = await connection.client(SessionCacheServiceClient, 'session-cache');
  if (sessionId) {
    const key = { $case: 'sessionId', value: sessionId } as const;
    return orNothing(ask(connection, cache, 'get', { tenantId: '', key, role: 'NODE_ROLE_UNSPECIFIED' }));
  }
  if (!tenantId) return undefined;
  for (const role of ['NODE_ROLE_MEDIA', 'NODE_ROLE_ROUTER', 'NODE_ROLE_TANDEM'] as const) {
    const key = { $case: 'callId', value: callId } as const;
    const found = await orNothing(ask(connection, cache, 'get', { tenantId, key, role }));
    if (found) return found;
  }
  return undefined;
}

interface Whose {
  readonly tenantId: string;
  readonly sessionId: string;
}

async function liveLegs(connection: Connection, { tenantId, sessionId }: Whose) {
  const control = await connection.client(CallControlServiceClient, 'call-control');
  const found = await orNothing(ask(connection, control, 'getSession', { tenantId, sessionId }));
  return found?.legs ?? [];
}

async function recordOf(connection: Connection, { tenantId, sessionId }: Whose) {
  const cdr = await connection.client(CdrServiceClient, 'call-control');
  return orNothing(ask(connection, cdr, 'getSession', { tenantId, sessionId }));
}

async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof CallmeshError && ['not_found', 'session_gone'].includes(error.code))
      return undefined;
    throw error;
  }
}
