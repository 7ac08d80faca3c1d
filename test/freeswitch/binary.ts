import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The freeswitch binary: on PATH, or in FREESWITCH_HOME; undefined where there is none. */
export function freeswitchBinary(): string | undefined {
  const home = process.env.FREESWITCH_HOME;
  const folders = [...(home ? [join(home, 'bin')] : []), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, 'freeswitch')).find(executable);
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
