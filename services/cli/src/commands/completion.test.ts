import { describe, expect, it } from 'vitest';
import { program } from '../program.ts';
import { candidates } from './completion.ts';

describe('completion', () => {
  it('offers every command at first', () => {
    const offered = candidates(program(), []);
    expect(offered).toEqual(expect.arrayContaining(['nodes', 'node', 'sessions', 'doctor', '--output']));
  });

  it('offers what follows the words before', () => {
    expect(candidates(program(), ['node'])).toEqual(expect.arrayContaining(['show', 'drain', 'undrain']));
    expect(candidates(program(), ['node', 'drain', 'fs-media-1'])).toContain('--wait');
  });
});
