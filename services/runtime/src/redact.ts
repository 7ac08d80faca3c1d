import marks from '@callmesh/proto/marks' with { type: 'json' };

type Marks = Readonly<Record<string, string>>;
interface MarkedMessage {
  readonly fields: readonly string[];
  readonly marked: Marks;
}

/** Marks of a message by what its fields are called, sorted. */
const byFields = new Map<string, Marks>();
/** Names that are marked in a message, whichever. */
const anywhere: Record<string, string> = {};
for (const { fields, marked } of Object.values<MarkedMessage>(marks)) {
  byFields.set(signature(fields), marked);
  Object.assign(anywhere, marked);
}
for (const [name, mark] of Object.entries(anywhere)) anywhere[snake(name)] = mark;

/** Names that log lines have for things of their own: who acts, by id, which trunk, why. */
const OURS = new Set([
  'actor',
  'agent',
  'called',
  'detail',
  'number',
  'party',
  'text',
  'trunk',
  'uri',
  'user',
]);
const inLines = Object.fromEntries(Object.entries(anywhere).filter(([name]) => !OURS.has(name)));

/** Deeper than this nothing is printed. */
const DEEPEST = 8;

/**
 * What a log line may say: fields that the protos mark `(callmesh.options.v1.sensitivity)`
 * are replaced by what they are. A message is known by the names of its fields;
 * inside of an object every name is taken for what it is in any message.
 */
export function redact(line: Record<string, unknown>): Record<string, unknown> {
  return redacted(line, byFields.get(signature(Object.keys(line))) ?? inLines, 0);
}

function redacted(object: Record<string, unknown>, marked: Marks, depth: number): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object)) {
    const mark = marked[name];
    found[name] = mark && !isEmpty(value) ? `[${mark}]` : inside(value, depth + 1);
  }
  return found;
}

function inside(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST) return '[deep]';
  if (Array.isArray(value)) return value.map((one) => inside(one, depth + 1));
  if (!isPlain(value)) return value;
  // A oneof: the value has the mark of the field that is set.
  const field = value.$case;
  const mark = typeof field === 'string' ? anywhere[field] : undefined;
  return mark ? { $case: field, value: `[${mark}]` } : redacted(value, anywhere, depth);
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

function signature(fields: readonly string[]): string {
  return [...fields].sort().join(' ');
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
