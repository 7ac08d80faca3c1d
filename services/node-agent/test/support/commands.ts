import { NodeCommand } from '@callmesh/proto/command';
import type { Dial, Program, Step } from '@callmesh/proto/program';
import fc from 'fast-check';
import { type Plan, planOf, type Setting } from '../../src/domain/commands/plan.ts';
import type { Leg } from '../../src/domain/leg.ts';
import { legOf } from '../../src/domain/leg.ts';

export const UUID = 'b049b786-2090-4926-b55a-be3bf5c56efb';
export const OTHER = '524a93f5-d4d7-4b2d-99cd-513f50317570';
export const SESSION = '0123456789abcdef';
const NOW = Date.UTC(2025, 10, 23, 4, 5, 6, 789);

type What = NonNullable<NodeCommand['command']>;

export function commandOf(command: What | undefined, more: Partial<NodeCommand> = {}): NodeCommand {
  return NodeCommand.create({
    commandId: 'c-1',
    expiresAt: new Date(NOW + 5_000),
    nodeEpoch: 'e1',
    tenantId: 'acme',
    sessionId: SESSION,
    legUuid: UUID,
    actor: 'test',
    command,
    ...more,
  });
}

/** A leg as it is after an answered call came in. */
export function legLike(more: Partial<Leg> = {}): Leg {
  const none = { name: '', get: () => undefined, variable: () => undefined, number: () => undefined };
  const leg = legOf(none, () => undefined, NOW);
  return { ...leg, uuid: UUID, tenantId: 'acme', sessionId: SESSION, answeredAt: NOW, ...more };
}

export const setting: Setting = {
  recordings: '/var/rec',
  holdMusic: 'tone_stream://%(180,4820,440);loops=-1',
  speech: { engine: 'flite', voice: 'slt' },
  now: NOW,
  leg: () => undefined,
};

export function plan(command: What, leg: Partial<Leg> = {}): Plan {
  return planOf(commandOf(command), legLike(leg), setting);
}

export function programOf(...steps: NonNullable<Step['step']>[]): Program {
  return { steps: steps.map((step) => ({ step })) };
}

export function run(...steps: NonNullable<Step['step']>[]): What {
  return { $case: 'run', value: { program: programOf(...steps), onlyFirst: false } };
}

export function dialOf(uri: string, more: Partial<Dial> = {}): Dial {
  const leg = { hops: [{ uri, nextHop: '', nodeId: '' }], agentId: '', trunkId: '' };
  return {
    groups: [{ legs: [leg], timeoutS: 0 }],
    ...{ callerNumber: '', callerName: '', continueOn: [], parkAfter: false, anonymous: false },
    ...more,
  };
}

/** Text made of what FreeSWITCH acts on, and of what it does not. */
const marks = [
  ...[
    "'",
    '"',
    '\\',
    '$',
    '{',
    '}',
    '[',
    ']',
    '<',
    '>',
    '(',
    ')',
    '^',
    '|',
    ',',
    ';',
    ':',
    '=',
    '!',
    '@',
    '%',
  ],
  ...[
    '${',
    '$${',
    '${uuid}',
    '${system(id)}',
    '$\\{',
    ':_:',
    '::',
    '^^;',
    'm:^:',
    '%[',
    ' ',
    '  ',
    '\\s',
    "\\'",
  ],
  ...[
    '\\n',
    '\\\\',
    '\n',
    '\r\n',
    '\n\n',
    '\0',
    '\t',
    '\u007f',
    '\u0085',
    '\u2028',
    '\ud800',
    'é',
    '😀',
    "''",
  ],
  ...['undef', 'inline', 'hangup', 'system', '&park()', '#', '*', '../', '/', 'a', 'B', '7', '+49'],
];
/** Marks of FreeSWITCH's that a name or a text may well have. */
const harmless = [
  "'",
  "''",
  ',',
  '^',
  '|',
  ';',
  '=',
  ':',
  ' ',
  '  ',
  '$',
  '$$',
  '(',
  ')',
  '[',
  ']',
  '@',
  'O',
  's',
  'n',
];
export const hostile = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .array(fc.constantFrom(...harmless), { minLength: 1, maxLength: 8 })
      .map((parts) => parts.join('')),
  },
  {
    weight: 3,
    arbitrary: fc.array(fc.constantFrom(...marks), { maxLength: 12 }).map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
);
