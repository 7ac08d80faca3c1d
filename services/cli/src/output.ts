import Table from 'cli-table3';
import { stringify } from 'yaml';

export const formats = ['table', 'json', 'yaml'] as const;
export type Format = (typeof formats)[number];

/** A column: its heading and what a row shows there. */
export type Columns<T> = Readonly<Record<string, (row: T) => string | number>>;

/** Prints rows: as a table for people, as documents with all fields for programs. */
export function printRows<T>(rows: readonly T[], columns: Columns<T>, format: Format): void {
  if (format !== 'table') {
    print(rows, format);
    return;
  }
  const table = new Table({
    head: Object.keys(columns),
    style: { head: [], border: [], compact: true },
    chars: BARE,
  });
  for (const row of rows) table.push(Object.values(columns).map((show) => String(show(row))));
  process.stdout.write(`${trimmed(table.toString())}\n`);
}

/** Prints one thing: as "name  value" lines for people. */
export function printOne<T>(one: T, lines: Columns<T>, format: Format): void {
  if (format !== 'table') {
    print(one, format);
    return;
  }
  const width = Math.max(...Object.keys(lines).map(({ length }) => length));
  for (const [name, show] of Object.entries(lines)) {
    process.stdout.write(`${name.padEnd(width)}  ${show(one)}\n`);
  }
}

/** Prints one of many that follow one another: a line of JSON each. */
export function printLine(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, bigIntAsNumber)}\n`);
}

function print(value: unknown, format: Exclude<Format, 'table'>): void {
  const plain = JSON.parse(JSON.stringify(value, bigIntAsNumber)) as unknown;
  process.stdout.write(format === 'json' ? `${JSON.stringify(plain, null, 2)}\n` : stringify(plain));
}

function bigIntAsNumber(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

/** Lines without the blanks that fill the last column. */
function trimmed(text: string): string {
  return text.replace(/ +$/gm, '');
}

/** Columns with blanks between them and nothing else: easy to read, easy to cut. */
const BARE = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' ' },
};
