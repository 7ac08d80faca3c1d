import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { LoadReport, Node } from '@callmesh/proto/node';
import type { App, Component } from '@callmesh/runtime';
import { z } from 'zod';
import type { NodeTable, Row } from '../domain/table.ts';
import { now } from './clock.ts';

const EVERY_MS = 2_000;

/** Only what the table itself would trip over is checked; a file that does not fit is left aside whole. */
const kept = z.array(
  z.looseObject({
    status: z.string(),
    since: z.number(),
    reason: z.string(),
    evidence: z.array(
      z.object({ kind: z.string(), since: z.number(), detail: z.string(), strong: z.boolean() }),
    ),
    facts: z.looseObject({
      node: z.looseObject({ id: z.string().min(1), epoch: z.string() }),
      seenAt: z.number(),
      pastEpochs: z.array(z.string()),
      loadAt: z.number().optional(),
      leaseLostAt: z.number().optional(),
      desired: z.string(),
      desiredAt: z.number(),
    }),
  }),
);

/** The table's last known content on disk: what a replica answers from when it starts without its stores. */
export function tableFile(app: App, table: NodeTable, file: string): Component {
  let timer: NodeJS.Timeout | undefined;
  let written = '';
  const save = () => {
    const text = JSON.stringify(table.dump().map(toJson));
    if (text === written) return;
    try {
      writeFileSync(`${file}.tmp`, text);
      renameSync(`${file}.tmp`, file);
      written = text;
      app.degraded('disk', null);
    } catch (error) {
      app.degraded('disk', `the node table cannot be kept (${(error as Error).message})`);
    }
  };
  return {
    name: 'table-file',
    async start() {
      try {
        if (existsSync(file)) table.restore(parse(readFileSync(file, 'utf8'), now()));
      } catch (error) {
        app.log.warn({ err: error, file }, 'the kept table cannot be read; starting from nothing');
      }
      timer = setInterval(save, EVERY_MS);
    },
    async stop() {
      clearInterval(timer);
      save();
    },
  };
}

function toJson(row: Row): unknown {
  const { node, load } = row.facts;
  return { ...row, facts: { ...row.facts, node: Node.toJSON(node), load: load && LoadReport.toJSON(load) } };
}

function parse(text: string, at: number): Row[] {
  return kept.parse(JSON.parse(text)).map((row) => {
    const { node, load, loadAt, ...rest } = row.facts;
    const report = load === undefined ? undefined : LoadReport.fromJSON(load);
    // A clock that was set back since must not make a report come from the future.
    const facts = {
      ...rest,
      sipAnsweredAt: undefined,
      node: Node.fromJSON(node),
      load: report,
      loadAt: loadAt && Math.min(loadAt, at),
    };
    return { ...row, facts } as unknown as Row;
  });
}
