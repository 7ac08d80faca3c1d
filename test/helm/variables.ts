import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@callmesh/local';

/** Variables the configuration of FreeSWITCH's roles reads, and those it does not start without. */
export function freeswitchVariables(): {
  readonly known: ReadonlySet<string>;
  readonly required: ReadonlySet<string>;
} {
  const files = globSync(join(ROOT, 'freeswitch/*/environment.xml')).map((file) =>
    readFileSync(file, 'utf8'),
  );
  const known = files.flatMap((text) => [...text.matchAll(/=\$(FS_[A-Z_]+)"/g)].map(([, name]) => name!));
  const required = files.flatMap((text) => text.match(/require\.sh ([A-Z_ ]+)"/)?.[1]?.split(' ') ?? []);
  return { known: new Set(known), required: new Set(required) };
}
