import { NodeRole } from '@callmesh/proto/node';
import { NodeStatus } from '@callmesh/proto/state';
import { RecoverySnapshot } from '@callmesh/proto/takeover';
import { describe, expect, it } from 'vitest';
import type { Row } from '../table.ts';
import { callsOf } from './calls.ts';
import { Heirs, isOver } from './heirs.ts';

const leg = (legUuid: string, sessionId: string, otherLegUuid = '') =>
  RecoverySnapshot.fromPartial({ legUuid, sessionId, otherLegUuid });

const row = (id: string, status: keyof typeof NodeStatus, sessions = 0, more: object = {}): [string, Row] => [
  id,
  {
    status: NodeStatus[status],
    facts: {
      node: {
        id,
        epoch: `${id}-life`,
        role: NodeRole.NODE_ROLE_MEDIA,
        group: 'red',
        maxSessions: 10,
        ...more,
      },
      load: { sessions },
    },
  } as unknown as Row,
];

describe('calls of a dead node', () => {
  it('are legs that were connected, or of one session', () => {
    const calls = callsOf([
      leg('c', 's2'),
      leg('b', 's1', 'a'),
      leg('a', 's1', 'b'),
      leg('d', 's3', 'e'),
      leg('e', 's4'),
    ]);
    expect(calls.map(({ legs }) => legs.map(({ legUuid }) => legUuid))).toEqual([
      ['a', 'b'],
      ['c'],
      ['d', 'e'],
    ]);
  });

  it('have one name, in whatever order their legs are listed', () => {
    const legs = [leg('b', 's', 'a'), leg('a', 's', 'b'), leg('c', 's')];
    const names = [legs, legs.toReversed()].map((some) => callsOf(some).map(({ anchor }) => anchor.legUuid));
    expect(names).toEqual([['a'], ['a']]);
  });
});

describe('heirs', () => {
  const dead = row('a', 'NODE_STATUS_DOWN');

  it('are spread over, by the room they have', () => {
    const heirs = new Heirs(new Map([dead, row('b', 'NODE_STATUS_UP', 4), row('c', 'NODE_STATUS_UP')]));
    const chosen = [1, 2, 3, 4, 5].map(() => heirs.next('a', 2)?.nodeId);
    expect(chosen).toEqual(['c', 'c', 'b', 'c', 'b']);
  });

  it('are up, of its group and role, and have room', () => {
    const rows = new Map([
      dead,
      row('full', 'NODE_STATUS_UP', 9),
      row('suspect', 'NODE_STATUS_SUSPECT'),
      row('draining', 'NODE_STATUS_DRAINING'),
      row('blue', 'NODE_STATUS_UP', 0, { group: 'blue' }),
      row('router', 'NODE_STATUS_UP', 0, { role: NodeRole.NODE_ROLE_ROUTER }),
    ]);
    expect(new Heirs(rows).next('a', 2)).toBeUndefined();
  });

  it('may be the node itself in its next life', () => {
    const rows = new Map([row('a', 'NODE_STATUS_UP', 0, { epoch: 'next' })]);
    expect(isOver({ nodeId: 'a', epoch: 'a-life' }, rows)).toBe(true);
    expect(new Heirs(rows).next('a', 2)).toEqual({ nodeId: 'a', epoch: 'next' });
  });

  it('are not asked for of a node that is only suspect, or that nobody knows', () => {
    const rows = new Map([row('a', 'NODE_STATUS_SUSPECT')]);
    expect(isOver({ nodeId: 'a', epoch: 'a-life' }, rows)).toBe(false);
    expect(isOver({ nodeId: 'b', epoch: 'x' }, rows)).toBe(false);
  });
});
