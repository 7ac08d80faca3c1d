import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../../../console');
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};
/** What is there; nothing else can be asked for. */
const FILES = [
  ...['index.html', 'sign-in.html', 'sign-in.js', 'style.css', 'mark.svg'],
  ...[
    'app.js',
    'store.js',
    'dom.js',
    'words.js',
    'map.js',
    'flows.js',
    'node.js',
    'session.js',
    'decisions.js',
  ],
] as const;

export interface Page {
  readonly type: string;
  readonly body: Buffer;
}

/** The files of the console, read once. */
export function pages(): ReadonlyMap<string, Page> {
  return new Map(
    FILES.map((file) => [file, { type: TYPES[extname(file)]!, body: readFileSync(join(FOLDER, file)) }]),
  );
}
