import { readFile } from 'node:fs/promises';
import { replaceFile } from '../replace-file.ts';

/**
 * Writes a list Kamailio reads, as a whole or not at all; true when its content
 * changed. The file alone changes nothing in Kamailio: reload it by RPC.
 */
export async function writeList(path: string, lines: readonly string[]): Promise<boolean> {
  const text = lines.map((line) => `${line}\n`).join('');
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return false;
  // Kamailio may run as another user; it reads the list, which holds no secret.
  await replaceFile(path, text, 0o644);
  return true;
}
