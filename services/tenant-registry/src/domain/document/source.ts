import { type CallmeshError, type ErrorCode, fail } from '@callmesh/runtime';
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';
import { type Problem, pathText } from '../validate.ts';

/** Largest text taken, bytes. */
const MAX_BYTES = 1024 * 1024;

/** Problems told at once. */
const MOST_PROBLEMS = 20;

export type Path = readonly (string | number)[];

/** One document of a YAML text, which knows where its parts are written. */
export interface Source {
  readonly value: unknown;
  /** A failure that names line, column and field. */
  failure(code: ErrorCode, path: Path, message: string): CallmeshError;
  /** All problems as one failure, in the order they are written. */
  problems(list: readonly Problem[]): CallmeshError;
}

/**
 * Reads a text of one or more YAML 1.2 documents. Errors: too_large,
 * invalid_argument with line and column of what is not YAML.
 */
export function readSources(text: string): Source[] {
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw fail('too_large', `yaml: expected at most ${MAX_BYTES} bytes`, { field: 'yaml' });
  const lines = new LineCounter();
  const documents = parse(text, lines);
  for (const document of documents) {
    // A warning is a tag or directive this reader does not know: nothing to guess about.
    const [problem] = [...document.errors, ...document.warnings];
    if (!problem) continue;
    const { line, col } = lines.linePos(problem.pos[0]);
    const tooDeep = problem.message.includes('call stack');
    const what = tooDeep ? 'nested too deeply' : problem.message.split(/ at line \d/)[0];
    throw fail('invalid_argument', `line ${line}, column ${col}: ${what}`, { field: 'yaml', cause: problem });
  }
  return documents.filter(({ contents }) => contents !== null).map((document) => source(document, lines));
}

function parse(text: string, lines: LineCounter): Document.Parsed[] {
  try {
    const documents = parseAllDocuments(text, { lineCounter: lines, version: '1.2', stringKeys: true });
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    throw fail('invalid_argument', 'yaml: nested too deeply', { field: 'yaml', cause: error });
  }
}

function source(document: Document.Parsed, lines: LineCounter): Source {
  const at = (path: Path, onKey = false) => lines.linePos(offsetOf(document.contents, path, onKey));
  const say = ({ path, message, unknownKey }: Problem) => {
    const { line, col } = at(path, unknownKey);
    return { line, col, text: `line ${line}, column ${col}: ${pathText(path) || 'document'}: ${message}` };
  };
  return {
    value: toValue(document),
    failure: (code, path, message) =>
      fail(code, say({ path, message }).text, { field: pathText(path) || 'yaml' }),
    problems(list) {
      const told = list
        .map((problem) => ({ ...say(problem), problem }))
        .sort((a, b) => a.line - b.line || a.col - b.col);
      const shown = told.slice(0, MOST_PROBLEMS).map(({ text }) => text);
      if (told.length > shown.length) shown.push(`and ${told.length - shown.length} more`);
      const first = told[0]!.problem.path;
      return fail('invalid_argument', shown.join('\n'), { field: pathText(first) || 'yaml' });
    },
  };
}

function toValue(document: Document.Parsed): unknown {
  try {
    // Aliases of aliases of aliases would fill the memory.
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw fail('invalid_argument', `yaml: ${(error as Error).message}`, { field: 'yaml', cause: error });
  }
}

/** Where a path is written; of something that is missing, where it would belong. */
function offsetOf(root: Node | null, path: Path, onKey: boolean): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  path.forEach((step, index) => {
    const last = index === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      node = pair && last && onKey ? pair.key : (pair?.value ?? pair?.key);
    } else {
      node = isSeq(node) && typeof step === 'number' ? node.items[step] : undefined;
    }
    if (isNode(node) && node.range) offset = node.range[0];
  });
  return offset;
}
