import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fields } from '../../test/support/fields.ts';
import { LegTable } from './leg-table.ts';
import { DriftWatch, differences, listedChannels } from './reconcile.ts';

const SESSION = '0123456789abcdef';

const leg = (uuid: string, extra: Record<string, string> = {}) => ({ 'Unique-ID': uuid, ...extra });
const ours = {
  'variable_sip_h_X-Callmesh-Session': SESSION,
  'variable_sip_h_X-Callmesh-Tenant': 'acme',
  variable_sip_call_id: 'c1',
  'Call-Direction': 'inbound',
};

describe('the leg table', () => {
  it('counts a channel from its creation to its destruction, not to its hangup', () => {
    const table = new LegTable();
    table.apply(fields('CHANNEL_CREATE', leg('a')), 0);
    table.apply(fields('CHANNEL_HANGUP_COMPLETE', leg('a')), 1);
    expect(table.size).toBe(1);
    table.apply(fields('CHANNEL_DESTROY', leg('a')), 2);
    expect(table.size).toBe(0);
  });

  it('takes tenant and session from the headers the mesh set', () => {
    const table = new LegTable();
    const [created] = table.apply(fields('CHANNEL_CREATE', leg('a', ours)), 0);
    expect(created?.leg).toMatchObject({
      tenantId: 'acme',
      sessionId: SESSION,
      callId: 'c1',
      outbound: false,
    });
  });

  it('gives a leg that the node called the session of the leg it was called for', () => {
    const table = new LegTable();
    table.apply(fields('CHANNEL_CREATE', leg('a', ours)), 0);
    const called = leg('b', { 'Channel-Call-UUID': 'a', 'Call-Direction': 'outbound' });
    const [created] = table.apply(fields('CHANNEL_CREATE', called), 1);
    expect(created?.leg).toMatchObject({ tenantId: 'acme', sessionId: SESSION, outbound: true });
    expect(table.takeStarted()).toEqual([SESSION]);
  });

  it('counts a call from elsewhere, with empty ids', () => {
    const table = new LegTable();
    const [created] = table.apply(fields('CHANNEL_CREATE', leg('a')), 0);
    expect(created?.leg).toMatchObject({ tenantId: '', sessionId: '' });
    expect(table.size).toBe(1);
    expect(table.takeStarted()).toEqual([]);
  });

  it.each(['../x', 'ACME', '', 'a'.repeat(64)])('does not believe the tenant %j', (tenant) => {
    const table = new LegTable();
    const headers = { ...ours, 'variable_sip_h_X-Callmesh-Tenant': tenant };
    expect(table.apply(fields('CHANNEL_CREATE', leg('a', headers)), 0)[0]?.leg.tenantId).toBe('');
  });

  it('tells ringing and hangup once per leg', () => {
    const table = new LegTable();
    table.apply(fields('CHANNEL_CREATE', leg('a')), 0);
    const told = [
      'CHANNEL_PROGRESS',
      'CHANNEL_PROGRESS_MEDIA',
      'CHANNEL_ANSWER',
      'CHANNEL_ANSWER',
      'CHANNEL_HANGUP_COMPLETE',
      'CHANNEL_DESTROY',
    ].flatMap((name) => table.apply(fields(name, leg('a')), 1).map(({ event }) => event));
    expect(told).toEqual(['ringing', 'answered', 'hangup']);
  });

  it('tells the hangup of a leg that was destroyed without one', () => {
    const table = new LegTable();
    table.apply(fields('CHANNEL_CREATE', leg('a')), 0);
    expect(table.apply(fields('CHANNEL_DESTROY', leg('a')), 1)[0]?.event).toBe('hangup');
  });

  it('lists a session as started when its first leg appears, and keeps it until it is told', () => {
    const table = new LegTable();
    table.apply(fields('CHANNEL_CREATE', leg('a', ours)), 0);
    table.apply(fields('CHANNEL_DESTROY', leg('a')), 1);
    const started = table.takeStarted();
    table.returnStarted(started);
    expect(table.takeStarted()).toEqual([SESSION]);
    expect(table.takeStarted()).toEqual([]);
  });

  it('follows a channel that is given another uuid', () => {
    const table = new LegTable();
    table.apply(fields('CHANNEL_CREATE', leg('a')), 0);
    table.apply(fields('CHANNEL_UUID', leg('b', { 'Old-Unique-ID': 'a' })), 1);
    expect(table.size).toBe(1);
    table.apply(fields('CHANNEL_DESTROY', leg('b')), 2);
    expect(table.size).toBe(0);
  });

  it('has exactly the channels that were created and not destroyed, whatever is repeated or comes late', () => {
    const step = fc.record({
      uuid: fc.constantFrom('a', 'b', 'c', 'd'),
      name: fc.constantFrom('CHANNEL_CREATE', 'CHANNEL_HANGUP_COMPLETE', 'CHANNEL_DESTROY', 'CHANNEL_ANSWER'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new LegTable();
        const alive = new Set<string>();
        const over = new Set<string>();
        steps.forEach(({ uuid, name }, at) => {
          table.apply(fields(name, leg(uuid)), at);
          // A uuid is used once: what comes after its end is late.
          if (name === 'CHANNEL_CREATE' && !over.has(uuid)) alive.add(uuid);
          if (name === 'CHANNEL_DESTROY' && alive.delete(uuid)) over.add(uuid);
        });
        expect(new Set(table.legs().map(({ uuid }) => uuid))).toEqual(alive);
        expect(table.size).toBe(alive.size);
      }),
    );
  });
});

describe('reconciling with the list of channels', () => {
  it('suspects what is listed and unknown, and what is known and not listed', () => {
    const table = new LegTable();
    table.apply(fields('CHANNEL_CREATE', leg('a')), 0);
    table.apply(fields('CHANNEL_CREATE', leg('b')), 0);
    expect(differences(table, new Set(['b', 'c']), 10)).toEqual({ unknown: ['c'], vanished: ['a'] });
  });

  it('suspects neither a leg younger than the question nor one that ended lately', () => {
    const table = new LegTable();
    table.apply(fields('CHANNEL_CREATE', leg('old')), 0);
    table.apply(fields('CHANNEL_DESTROY', leg('old')), 5);
    table.apply(fields('CHANNEL_CREATE', leg('young')), 20);
    expect(differences(table, new Set(['old']), 10)).toEqual({ unknown: [], vanished: [] });
  });

  it('reads an empty list, which has no rows at all', () => {
    expect(listedChannels('{"row_count": 0}\n').size).toBe(0);
    expect([...listedChannels('{"row_count":1,"rows":[{"uuid":"u"}]}')]).toEqual(['u']);
  });

  it('asks again only when heartbeats keep disagreeing the same way', () => {
    const drift = new DriftWatch();
    const asked = [
      [3, 3],
      [4, 3],
      [3, 4],
      [5, 4],
      [5, 4],
      [5, 4],
      [5, 4],
    ].map(([reported, counted]) => drift.observe(reported!, counted!));
    expect(asked).toEqual([false, false, false, false, false, true, false]);
  });
});
