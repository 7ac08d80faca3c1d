import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Lifecycle } from './lifecycle.ts';

const quiet = pino({ level: 'silent' });

function recorder(lifecycle: Lifecycle, names: string[]): string[] {
  const steps: string[] = [];
  for (const name of names) {
    const step = (stage: string) => async () => void steps.push(`${stage} ${name}`);
    lifecycle.add({ name, start: step('start'), drain: step('drain'), stop: step('stop') });
  }
  return steps;
}

describe('a lifecycle', () => {
  it('starts in order, drains all, then stops all, in reverse', async () => {
    const lifecycle = new Lifecycle(quiet, 1000);
    const steps = recorder(lifecycle, ['a', 'b']);
    await lifecycle.start();
    expect(lifecycle.state).toBe('ready');
    await Promise.all([lifecycle.shutdown(), lifecycle.shutdown()]);
    expect(steps).toEqual(['start a', 'start b', 'drain b', 'drain a', 'stop b', 'stop a']);
    expect(lifecycle.state).toBe('stopped');
  });

  it('stops what had started when a later part does not', async () => {
    const lifecycle = new Lifecycle(quiet, 1000);
    const steps = recorder(lifecycle, ['a']);
    lifecycle.add({ name: 'b', start: () => Promise.reject(new Error('no port')) });
    await expect(lifecycle.start()).rejects.toThrow('no port');
    await lifecycle.shutdown();
    expect(steps).toEqual(['start a', 'drain a', 'stop a']);
  });

  it('does not wait for ever for what does not drain', async () => {
    const lifecycle = new Lifecycle(quiet, 50);
    const steps = recorder(lifecycle, ['a']);
    lifecycle.add({ name: 'stuck', drain: () => new Promise(() => {}) });
    await lifecycle.start();
    await lifecycle.shutdown();
    expect(steps.at(-1)).toBe('stop a');
  });
});
