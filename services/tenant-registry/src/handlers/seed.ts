import { CallmeshError, fail } from '@callmesh/runtime';
import { readDocuments, type Wanted } from '../domain/document/read.ts';
import { PLATFORM } from '../domain/kind.ts';
import { specOf } from '../domain/kinds/index.ts';
import type { Registry } from './registry.ts';

/** A file to seed from. */
export interface SeedFile {
  readonly name: string;
  readonly text: string;
}

/** Reads seed files. Errors: those of an import, naming the file. */
export function readSeed(files: readonly SeedFile[]): Wanted[] {
  return files.flatMap(({ name, text }) => {
    try {
      return readDocuments(text);
    } catch (error) {
      if (!(error instanceof CallmeshError)) throw error;
      throw fail(error.code, `${name}: ${error.message}`, { field: error.field, cause: error });
    }
  });
}

/**
 * Creates what the seed describes and is not there: tenants as a whole, the
 * platform's rows one by one. What is there stays as it is, so that a restart does
 * not undo what was changed since. Returns how many rows were created.
 * Errors: those of an import.
 */
export async function seed(registry: Registry, wanted: readonly Wanted[]): Promise<number> {
  const absent: Wanted[] = [];
  for (const document of wanted) if (!(await isThere(registry, document.tenant))) absent.push(document);
  const puts = absent
    .flatMap((document) => document.puts)
    .map((put) => ({ ...put, expect: 'skip' as const }));
  const { changes } = await registry.apply({ puts }, 'seed');
  return changes.length;
}

async function isThere({ store }: Registry, tenant: string): Promise<boolean> {
  if (tenant === PLATFORM) return false;
  const { rows } = await store.list({ spec: specOf('tenant'), tenant, limit: 1 });
  return rows.length > 0;
}
