import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Directory } from '../src/domain/directory.ts';
import type { Direction, Trunk } from '../src/domain/model.ts';
import { toE164 } from '../src/domain/numbers/e164.ts';
import { fromTrunk } from '../src/domain/numbers/inbound.ts';
import { planFor } from '../src/domain/numbers/plan.ts';
import { buildSnapshot } from './support/world.ts';
import { world } from './support/world-schema.ts';

const FOLDER = new URL('../golden/numbers/', import.meta.url);

const rule = z.strictObject({
  direction: z.enum(['inbound', 'outbound']),
  party: z.enum(['called', 'calling']),
  position: z.int(),
  match: z.string().default(''),
  strip: z.int().default(0),
  prepend: z.string().default(''),
});
const line = z
  .strictObject({
    out: z.string(),
    in: z.string(),
    from: z.string(),
    anonymous: z.boolean(),
    called: z.string(),
    calling: z.string(),
    asserted: z.string(),
    privacy: z.string(),
    by: z.strictObject({ called: z.int().optional(), calling: z.int().optional() }),
  })
  .partial();
type Line = z.infer<typeof line>;

const table = z.strictObject({
  about: z.string(),
  numbers: z.array(z.string()),
  pbx: z.array(z.string()).default([]),
  trunk: z.strictObject({
    kind: z.enum(['hybrid', 'carrier']),
    served_prefixes: z.array(z.string()).default([]),
    caller_number: z.string().optional(),
    caller_policy: z.string().optional(),
    identity_header: z.string().optional(),
    rules: z.array(rule).default([]),
  }),
  calls: z.array(line).min(1),
});
type Table = z.infer<typeof table>;

/** The table's tenant and trunk as policy would know them. */
function directoryOf({ numbers, pbx, trunk: { rules, served_prefixes, ...trunk } }: Table): Directory {
  const { directory } = buildSnapshot(
    world.parse({
      tenants: {
        acme: {
          domain: 'acme.example',
          numbers: Object.fromEntries(numbers.map((number) => [number, { to: 'control' }])),
          trunks: { trunk: { ...trunk, serves: served_prefixes }, pbx: { serves: pbx } },
        },
      },
      nodes: {},
    }),
  );
  for (const { direction, party, position, ...rest } of rules) {
    const id = `trunk/${direction}/${party}/${position}`;
    directory.put({ kind: 'rule', value: { id, trunkId: 'trunk', direction, party, position, ...rest } });
  }
  return directory;
}

/** What comes of a call, in the table's words. */
function outcome(
  call: Line,
  trunk: Trunk,
  directory: Directory,
): Required<Omit<Line, 'in' | 'out' | 'from' | 'anonymous'>> {
  const { from = '', anonymous = false } = call;
  if (call.in !== undefined) {
    const called = fromTrunk(call.in, trunk, 'called', directory);
    const calling = fromTrunk(from, trunk, 'calling', directory);
    const shown = anonymous ? 'hidden' : calling.number;
    const by = positions(called.rule, calling.rule);
    return { called: called.number, calling: shown, asserted: 'none', privacy: 'none', by };
  }
  const number = toE164(call.out!) ?? call.out!;
  const plan = planFor(trunk, number, { number: from, anonymous }, directory);
  return {
    called: plan.called.number,
    calling: plan.calling.number || 'hidden',
    asserted: plan.asserted || 'none',
    privacy: plan.privacy || 'none',
    by: positions(plan.called.rule, plan.calling.rule),
  };
}

function positions(called: string, calling: string): NonNullable<Line['by']> {
  const at = (rule: string) => Number(rule.split('/').at(-1));
  return { ...(called && { called: at(called) }), ...(calling && { calling: at(calling) }) };
}

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))) {
  const read = table.parse(parse(readFileSync(new URL(file, FOLDER), 'utf8')));
  const directory = directoryOf(read);
  const trunk = directory.trunk('trunk')!;
  describe(`${file}: ${read.about}`, () => {
    for (const call of read.calls) {
      const direction: Direction = call.in === undefined ? 'outbound' : 'inbound';
      const { in: _in, out: _out, from, anonymous, ...expected } = call;
      const hidden = anonymous ? ', anonymous' : '';
      it(`${direction} to ${call.in ?? call.out} from ${from || 'nobody'}${hidden}`, () => {
        const made = outcome(call, trunk, directory);
        const looked = Object.fromEntries(
          Object.keys(expected).map((key) => [key, made[key as keyof typeof made]]),
        );
        expect(looked).toEqual(expected);
      });
    }
  });
}
