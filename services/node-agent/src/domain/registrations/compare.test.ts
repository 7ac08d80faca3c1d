import { describe, expect, it } from 'vitest';
import { differences } from './compare.ts';
import type { Device } from './device.ts';

const BEGAN = 1_000_000;
const device = (more: Partial<Device> = {}): Device => ({
  ...{ aor: 'alice@acme.example', contact: 'sip:a1@df7.invalid', path: [], callId: 'c-1', userAgent: '' },
  ...{ at: BEGAN + 60_000, expiresAt: BEGAN + 180_000 },
  ...more,
});
const other = device({ contact: 'sip:phone@10.0.0.1' });
const compare = (listed: Device[], known: Device[], newer: Device[] = [], kept: Device[] = []) =>
  differences({
    listed,
    known,
    began: BEGAN,
    inherited: new Map(kept.map((one) => [`${one.aor} ${one.contact}`, one])),
    isNewer: (one) => newer.some((n) => n.contact === one.contact),
    isGone: ({ path }) => path[0] === 'gone',
  });

describe('what session-cache is told after a comparison', () => {
  it('is nothing, when both know the same', () => {
    expect(compare([device(), other], [other, device({ at: BEGAN + 59_000 })])).toEqual([]);
  });

  it('is what it lacks', () => {
    expect(compare([device(), other], [other])).toEqual([device()]);
  });

  it('is that a device has gone', () => {
    expect(compare([other], [device(), other])).toEqual([device({ expiresAt: 0 })]);
  });

  it('is that a device stays longer than it knows, as of the REGISTER it knows of', () => {
    const [longer, known] = [device({ at: BEGAN + 90_000, expiresAt: BEGAN + 240_000 }), device()];
    expect(compare([longer], [known])).toEqual([{ ...longer, at: known.at }]);
    // FreeSWITCH counts in seconds.
    expect(compare([device({ expiresAt: known.expiresAt + 1_500 })], [known])).toEqual([]);
    expect(compare([device({ expiresAt: known.expiresAt - 60_000 })], [known])).toEqual([]);
  });

  it('is nothing of a device that FreeSWITCH only forgot when it began anew', () => {
    expect(compare([], [device({ at: BEGAN - 1 })])).toEqual([]);
  });

  it('is nothing of a device that FreeSWITCH kept from an earlier life, unless it came again since', () => {
    expect(compare([device()], [], [], [device()])).toEqual([]);
    const again = device({ expiresAt: device().expiresAt + 60_000 });
    expect(compare([again], [], [], [device()])).toEqual([again]);
  });

  it('is that a device has gone to which no way leads, kept or forgotten', () => {
    const lost = device({ path: ['gone'] });
    const long = { ...lost, at: BEGAN - 1 };
    expect(compare([lost], [lost])).toEqual([{ ...lost, expiresAt: 0 }]);
    expect(compare([], [long])).toEqual([{ ...long, expiresAt: 0 }]);
    expect(compare([lost], [])).toEqual([]);
  });

  it('is nothing of what was heard of meanwhile', () => {
    expect(compare([device()], [other], [device(), other])).toEqual([]);
  });
});
