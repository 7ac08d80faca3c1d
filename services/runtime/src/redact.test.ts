import { readFileSync } from 'node:fs';
import { packageDefinition } from '@callmesh/proto/descriptors';
import { type MarkedMessage, markedMessages } from '@callmesh/proto/sensitive';
import { describe, expect, it } from 'vitest';
import { createLogger } from './log.ts';

const SENTINEL = 'must-not-be-seen';
const messages = markedMessages();

/** A message as generated code has it, with the sentinel in every marked field. */
function filled({ fields, marked }: MarkedMessage): Record<string, unknown> {
  const oneofs = Object.keys(marked).filter((field) => !fields.includes(field));
  return Object.fromEntries(
    fields.map((field) => {
      if (marked[field]) return [field, field.endsWith('s') ? [SENTINEL] : SENTINEL];
      return [field, oneofs.length > 0 ? { $case: oneofs[0], value: SENTINEL } : 'plain'];
    }),
  );
}

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(createLogger('test', 'test-1', 'trace', { write: (line) => lines.push(line) }));
  return lines.join('');
}

describe.each(Object.entries(messages))('%s', (_, message) => {
  const value = filled(message);

  it.each([
    ['as the line', value],
    ['in it', { message: value }],
    ['deep in it', { batch: [{ events: [{ event: value }] }] }],
  ])('logged %s shows nothing that is marked', (_, line) => {
    const text = logged((log) => log.info(line, 'told'));
    expect(text).toContain('"msg":"told"');
    expect(text).not.toContain(SENTINEL);
    expect(text).toMatch(/\[(personal|secret)\]/);
  });
});

it('names by which we mean people are redacted in any line, and our own words are not', () => {
  const line = {
    caller: '+4930100200',
    agent_id: 'alice@acme.example',
    actor: 'policy/policy-1',
    trunk: 'acme-pbx',
  };
  expect(JSON.parse(logged((log) => log.info(line)))).toMatchObject({
    ...{ caller: '[personal]', agent_id: '[personal]' },
    ...{ actor: 'policy/policy-1', trunk: 'acme-pbx' },
  });
});

it('what is empty stays empty, and errors are told', () => {
  const text = logged((log) => log.error({ caller: '', err: new Error('it broke') }));
  expect(JSON.parse(text)).toMatchObject({ caller: '', err: { message: 'it broke' } });
});

it('the marks that are kept are those of the protos', () => {
  const kept = JSON.parse(readFileSync(new URL('../../../proto/src/marks.json', import.meta.url), 'utf8'));
  expect(kept, 'run npm run generate').toEqual(messages);
  expect(Object.keys(packageDefinition())).toEqual(expect.arrayContaining(Object.keys(messages)));
});
