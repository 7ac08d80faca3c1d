import { createRequire } from 'node:module';
import { expect, it } from 'vitest';

const loaded = () => Object.keys(createRequire(import.meta.url).cache).filter((file) => /\/pg\//.test(file));

it('database drivers are only loaded by services that have a database', async () => {
  await import('../index.ts');
  expect(loaded()).toEqual([]);
  await import('./index.ts');
  expect(loaded()).not.toEqual([]);
});
