import { beforeEach, describe, expect, it } from 'vitest';
import { Usage } from './usage.ts';

const NOW = 1_000_000;
const session = { tenantId: 'acme', trunkId: 'pbx' };

describe('usage', () => {
  let usage: Usage;
  beforeEach(() => {
    usage = new Usage();
  });

  it('counts a session from its assignment to its end, for tenant and trunk', () => {
    usage.start('s', session, NOW);
    usage.confirm('s', session, NOW);
    expect([usage.callsOfTenant('acme'), usage.callsOfTrunk('pbx')]).toEqual([1, 1]);
    usage.end('s');
    usage.end('s');
    expect([usage.callsOfTenant('acme'), usage.callsOfTrunk('pbx')]).toEqual([0, 0]);
  });

  it('counts the starts of the last second, own and others', () => {
    usage.start('own', session, NOW);
    usage.confirm('other', session, NOW + 100);
    expect(usage.startsOfTenant('acme', NOW + 500)).toBe(2);
    expect(usage.startsOfTrunk('pbx', NOW + 1_050)).toBe(1);
    expect(usage.startsOfTenant('acme', NOW + 2_000)).toBe(0);
  });

  it('does not count a session of the snapshot as just started', () => {
    usage.start('own', session, NOW);
    usage.confirm('old', session, NOW - 60_000);
    expect(usage.startsOfTenant('acme', NOW)).toBe(1);
    expect(usage.callsOfTenant('acme')).toBe(2);
  });

  it('forgets a session that session-cache never confirms', () => {
    usage.start('s', session, NOW);
    usage.expire(NOW + 59_000);
    expect(usage.callsOfTenant('acme')).toBe(1);
    usage.expire(NOW + 60_000);
    expect(usage.callsOfTenant('acme')).toBe(0);
  });

  it('drops what a new watch no longer lists, and keeps what was just assigned', () => {
    usage.confirm('gone', session, NOW);
    usage.confirm('stays', session, NOW);
    usage.start('fresh', session, NOW);
    usage.retain(new Set(['stays']));
    expect(usage.callsOfTenant('acme')).toBe(2);
  });
});
