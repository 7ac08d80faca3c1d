import { beforeEach, describe, expect, it } from 'vitest';
import { Ledger, type LoadReport, PENDING_TTL_MS } from './ledger.ts';

const report = (seq: number, sessions: number, startedSessions: string[] = []): LoadReport => ({
  nodeId: 'n',
  epoch: 'e',
  sessions,
  max: 0,
  seq,
  startedSessions,
  backend: 'up',
});

describe('the ledger', () => {
  let ledger: Ledger;
  const load = () => ledger.load('n', 'e');
  beforeEach(() => {
    ledger = new Ledger();
  });

  it('counts what was assigned until a report lists it', () => {
    ledger.assign('n', 'e', 's1', 0);
    ledger.assign('n', 'e', 's2', 0);
    expect(load()).toMatchObject({ sessions: 0, pending: 2 });
    ledger.report(report(1, 1, ['s1']), 10);
    expect(load()).toMatchObject({ sessions: 1, pending: 1 });
  });

  it('counts a session once that two instances announce', () => {
    ledger.assign('n', 'e', 's1', 0);
    ledger.assign('n', 'e', 's1', 1);
    expect(load().pending).toBe(1);
  });

  it('does not count an announcement that comes after the report', () => {
    ledger.report(report(1, 1, ['s1']), 0);
    ledger.assign('n', 'e', 's1', 1);
    expect(load()).toMatchObject({ sessions: 1, pending: 0 });
  });

  it('forgets what no node reports within five seconds', () => {
    ledger.assign('n', 'e', 's1', 0);
    ledger.expire(PENDING_TTL_MS - 1);
    expect(load().pending).toBe(1);
    ledger.expire(PENDING_TTL_MS);
    expect(load().pending).toBe(0);
  });

  it('takes from a late report what started, and not its count', () => {
    ledger.assign('n', 'e', 's1', 0);
    ledger.report(report(8, 5), 0);
    ledger.report(report(7, 3, ['s1']), 0);
    expect(load()).toMatchObject({ sessions: 5, pending: 0 });
  });

  it('believes an agent that began to count anew', () => {
    ledger.report(report(90_000, 5), 0);
    ledger.report(report(1, 2), 0);
    ledger.report(report(2, 3), 0);
    expect(load().sessions).toBe(3);
  });

  it('keeps the lives of a node apart', () => {
    ledger.assign('n', 'e', 's1', 0);
    expect(ledger.load('n', 'after-restart')).toMatchObject({ sessions: 0, pending: 0 });
  });

  it('gives back what went elsewhere', () => {
    ledger.assign('n', 'e', 's1', 0);
    ledger.unassign('n', 'e', 's1');
    expect(load().pending).toBe(0);
  });
});
