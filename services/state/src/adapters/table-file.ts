import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { LoadReport, Node } from '@callmesh/proto/node';
import type { App, Component } from '@callmesh/runtime';
import type { Facts } from '../domain/facts.ts';
import type { NodeTable } from '../domain/table.ts';

const EVERY_MS = 2_000;

/** The table's last known content on disk: what a replica answers from when it starts without its stores. */
export function tableFile(app: App, table: NodeTable, file: string): Component {
  let timer: NodeJS.Timeout | undefined;
  const save = () => {
    const rows = table.dump().map((facts) => ({
      ...facts,
      node: Node.toJSON(facts.node),
      load: facts.load && LoadReport.toJSON(facts.load),
    }));
    writeFileSync(`${file}.tmp`, JSON.stringify(rows));
    renameSync(`${file}.tmp`, file);
  };
  return {
    name: 'table-file',
    async start() {
      try {
        if (existsSync(file)) table.restore(JSON.parse(readFileSync(file, 'utf8')).map(parse));
      } catch (error) {
        app.log.warn({ err: error, file }, 'the kept table cannot be read; starting from nothing');
      }
      timer = setInterval(() => {
        try {
          save();
        } catch (error) {
          app.log.warn({ err: error, file }, 'the table could not be kept');
        }
      }, EVERY_MS);
    },
    async stop() {
      clearInterval(timer);
      save();
    },
  };
}

function parse(row: Record<string, unknown>): Facts {
  return {
    ...(row as unknown as Facts),
    node: Node.fromJSON(row.node),
    load: row.load ? LoadReport.fromJSON(row.load) : undefined,
  };
}
