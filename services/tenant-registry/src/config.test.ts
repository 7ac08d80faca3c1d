import { parseConfig } from '@callmesh/runtime';
import { describe, expect, it } from 'vitest';
import { configSchema } from './config.ts';

const COMMON = 'instance: r-1\nauth: { token: 0123456789abcdef }\nstate_dir: /tmp/x\n';

describe('the config of tenant-registry', () => {
  it('embeds a database on disk unless told otherwise', () => {
    const config = parseConfig(configSchema, COMMON);
    expect(config).toMatchObject({ embedded: { storage: 'disk' }, changes_kept: 10_000, seed: [] });
    expect(config.database).toBeUndefined();
  });

  it.each([
    ['database: { url: "mysql://x" }', 'database.url', 'expected a URL such as postgres://'],
    ['database: { url: "postgres://x/y", pool_size: 0 }', 'database.pool_size', ''],
    ['databse: {}', 'databse', ''],
    ['changes_kept: 1', 'changes_kept', ''],
    ['embedded: { storage: tape }', 'embedded.storage', ''],
  ])('is refused with %s, by name', (text, field, message) => {
    expect(() => parseConfig(configSchema, COMMON + text)).toThrow(
      expect.objectContaining({ field, message: expect.stringContaining(message) }),
    );
  });
});
