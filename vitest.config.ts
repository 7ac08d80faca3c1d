import { defineConfig } from 'vitest/config';

const timeouts = { testTimeout: 30_000, hookTimeout: 90_000 };

export default defineConfig({
  test: {
    projects: [
      {
        // One process and its stores: two at a time.
        test: {
          ...timeouts,
          name: 'services',
          include: ['services/*/{src,test}/**/*.test.ts'],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Many processes: one after the other, so that none is judged by another's load.
        test: {
          ...timeouts,
          name: 'mesh',
          include: ['deploy/local/**/*.test.ts', 'test/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
