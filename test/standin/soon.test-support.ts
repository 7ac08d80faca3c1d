import { expect } from 'vitest';

/** Polls until the expectation holds; patient, because other tests load the machine. */
export const soon = <T>(read: () => T) => expect.poll(read, { timeout: 10_000, interval: 10 });
