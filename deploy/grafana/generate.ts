import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FILES, generated } from './src/index.ts';

for (const [path, text] of generated()) {
  const file = join(import.meta.dirname, '../..', FILES, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
