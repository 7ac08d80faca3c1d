import type { Batch, Put, Scope } from '../batch.ts';
import { type KindSpec, PLATFORM, type Row, type Section } from '../kind.ts';
import { kinds, specOf } from '../kinds/index.ts';
import { checkRow, type Problem } from '../validate.ts';
import { type Path, readSources, type Source } from './source.ts';

/** What one document wants. */
export interface Wanted {
  /** Whose it is; "*": the platform's. */
  readonly tenant: string;
  readonly puts: readonly Put[];
  /** Kinds of which there is to be nothing else. */
  readonly replace: readonly Scope[];
}

/**
 * Reads the documents of a YAML text. Errors: invalid_argument, with line, column
 * and field of everything that is not as expected.
 */
export function readDocuments(text: string): Wanted[] {
  const sources = readSources(text);
  if (!sources.length) return [emptyDocument()];
  return sources.map((source) => new Reader(source).read());
}

function emptyDocument(): never {
  throw readSources('{}')[0]!.failure('invalid_argument', [], 'expected a document');
}

/** All documents as one batch: they become true together or not at all. */
export function batchOf(documents: readonly Wanted[]): Batch {
  return {
    puts: documents.flatMap(({ puts }) => puts),
    replace: documents.flatMap(({ replace }) => replace),
  };
}

/** Lists that stand at the top of a document. */
const topLists = kinds.filter(({ section }) => section && !section.under) as (KindSpec & {
  section: Section;
})[];

class Reader {
  readonly #source: Source;
  readonly #problems: Problem[] = [];
  readonly #puts: Put[] = [];

  constructor(source: Source) {
    this.#source = source;
  }

  read(): Wanted {
    const { value } = this.#source;
    if (!isRecord(value)) throw this.#source.failure('invalid_argument', [], 'expected a map of sections');
    const type = 'tenant' in value ? 'tenant' : 'platform';
    const lists = topLists.filter(({ section }) => section.in.includes(type));
    this.#refuseOtherKeys(value, type, lists);
    const tenant = type === 'tenant' ? this.#tenant(value.tenant) : PLATFORM;
    for (const spec of lists) this.#list(spec, value, [], spec.tenantColumn ? { tenant_id: tenant } : {});
    if (this.#problems.length) throw this.#source.problems(this.#problems);
    return { tenant, puts: this.#puts, replace: scopes(type, tenant, value) };
  }

  #refuseOtherKeys(value: Row, type: 'tenant' | 'platform', lists: readonly { readonly section: Section }[]) {
    const known = [...(type === 'tenant' ? ['tenant'] : []), ...lists.map(({ section }) => section.key)];
    const expected = `unknown section; expected ${known.join(', ')}`;
    const hint = type === 'platform' ? ', or tenant for a document of a tenant' : '';
    for (const key of Object.keys(value))
      if (!known.includes(key))
        this.#problems.push({ path: [key], message: expected + hint, unknownKey: true });
  }

  /** The tenant itself; its id, as far as it can be read, for what follows. */
  #tenant(value: unknown): string {
    this.#row(specOf('tenant'), value, ['tenant'], {});
    const id = isRecord(value) ? value.id : undefined;
    // A placeholder keeps the errors of the lists their own.
    return this.#problems.some(({ path }) => path[0] === 'tenant') ? 'x' : String(id);
  }

  #list(spec: KindSpec & { section: Section }, parent: Row, path: Path, implied: Row): void {
    const { key } = spec.section;
    const value = parent[key];
    if (value === undefined || value === null) return;
    if (!Array.isArray(value)) {
      this.#problems.push({ path: [...path, key], message: 'expected a list' });
      return;
    }
    value.forEach((item, index) => {
      this.#row(spec, item, [...path, key, index], implied);
    });
  }

  #row(spec: KindSpec, value: unknown, path: Path, implied: Row): void {
    if (!isRecord(value)) {
      this.#problems.push({ path, message: `expected a map with the fields of a ${spec.name}` });
      return;
    }
    const nested = kinds.filter(({ section }) => section?.under?.kind === spec.name);
    const fields = Object.fromEntries(
      Object.entries(value).filter(([key]) => !nested.some(({ section }) => section!.key === key)),
    );
    for (const key of Object.keys(implied))
      if (key in value)
        this.#problems.push({
          path: [...path, key],
          message: 'unknown key: its place says it',
          unknownKey: true,
        });
    const checked = checkRow(spec, { ...fields, ...implied });
    if ('row' in checked) this.#put(spec, checked.row, path);
    // What is implied is wrong where it comes from, and said there.
    else
      for (const problem of checked.problems)
        if (!(String(problem.path[0]) in implied))
          this.#problems.push({ ...problem, path: [...path, ...problem.path] });
    for (const child of nested)
      this.#list(child as KindSpec & { section: Section }, value, path, {
        [child.section!.under!.field]: value.id,
      });
  }

  #put(spec: KindSpec, row: Row, path: Path): void {
    this.#puts.push({
      spec,
      row,
      expect: 'any',
      report: (code, field, message) => this.#source.failure(code, [...path, ...stepsOf(field)], message),
    });
  }
}

/** A tenant's document is all there is of it; of the platform's lists those that are absent stay. */
function scopes(type: 'tenant' | 'platform', tenant: string, value: Row): Scope[] {
  return kinds
    .filter(({ section }) => section?.in.includes(type))
    .filter(({ section }) => type === 'tenant' || section!.key in value)
    .map((spec) => ({ spec, tenant }));
}

/** "source_addresses[1]" as the steps of a path. */
function stepsOf(field: string): Path {
  return [...field.matchAll(/[^.[\]]+/g)].map(([step]) => (/^\d+$/.test(step) ? Number(step) : step));
}

function isRecord(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
