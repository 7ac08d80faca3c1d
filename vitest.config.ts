import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['services/*/{src,test}/**/*.test.ts', 'deploy/local/**/*.test.ts', 'test/**/*.test.ts'],
    // Two cores, and many of these tests start real servers.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
