import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where imports of our protos are looked for. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Every callmesh proto, below ROOT. */
export function protoFiles(): string[] {
  const files = readdirSync(`${ROOT}/callmesh`, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.proto')).map((file) => `callmesh/${file}`);
}
