import { Node } from '@callmesh/proto/node';
import { beforeEach, describe, expect, it } from 'vitest';
import { AWAY_MS, Doors } from './doors.ts';

const door = (id: string, life: string) =>
  Node.fromPartial({ id, role: 'NODE_ROLE_KAMA_WSS', epoch: `1763885000-77-${life}` });
const path = (id: string, life: string, transport = 'wss') => [
  `sip:${id}@10.0.0.1:5060;transport=udp;lr;ob;tn=acme;op=${transport}~192.0.2.7~50000~10.0.0.1~443~17~${life};ma=0`,
];

describe('a flow through a door', () => {
  let doors: Doors;
  beforeEach(() => {
    doors = new Doors();
    doors.see([door('a', 'aaaa0001'), door('b', 'bbbb0001')]);
  });

  it('is there while the door is, in the life the flow was opened in', () => {
    expect(doors.isGone(path('a', 'aaaa0001'), 0)).toBe(false);
    expect(doors.isGone(path('b', 'bbbb0001'), 0)).toBe(false);
  });

  it('is gone as soon as the door began anew, and that of another door is not', () => {
    expect(doors.see([door('a', 'aaaa0002'), door('b', 'bbbb0001')])).toBe(true);
    expect(doors.isGone(path('a', 'aaaa0001'), 0)).toBe(true);
    expect(doors.isGone(path('a', 'aaaa0002'), 0)).toBe(false);
    expect(doors.isGone(path('b', 'bbbb0001'), 0)).toBe(false);
  });

  it('over UDP has no connection: it outlives a restart', () => {
    doors.see([door('a', 'aaaa0002')]);
    expect(doors.isGone(path('a', 'aaaa0001', 'udp'), 0)).toBe(false);
  });

  it.each(['wss', 'udp'])(
    'over %s is gone when the door has been away for long, and not before',
    (transport) => {
      doors.see([door('b', 'bbbb0001')]);
      expect(doors.isGone(path('a', 'aaaa0001', transport), 1_000)).toBe(false);
      expect(doors.isGone(path('a', 'aaaa0001', transport), 999 + AWAY_MS)).toBe(false);
      expect(doors.isGone(path('a', 'aaaa0001', transport), 1_000 + AWAY_MS)).toBe(true);
      // Back in the same life: only its agent was away.
      doors.see([door('a', 'aaaa0001')]);
      expect(doors.isGone(path('a', 'aaaa0001', transport), 2_000 + AWAY_MS)).toBe(false);
    },
  );

  it('is not taken for gone by silence, which begins no waiting either', () => {
    doors.see([]);
    doors.isGone(path('a', 'aaaa0001'), 0);
    doors.see(undefined);
    expect(doors.isGone(path('a', 'aaaa0001'), 10 * AWAY_MS)).toBe(false);
    doors.see([]);
    expect(doors.isGone(path('a', 'aaaa0001'), 10 * AWAY_MS)).toBe(false);
  });

  it('that no door of ours wrote is nobody’s to judge', () => {
    doors.see([]);
    for (const one of [['sip:flow-7@10.0.0.1;lr;ob'], ['sip:10.0.0.1;lr;op=x'], []])
      for (const now of [0, AWAY_MS]) expect(doors.isGone(one, now)).toBe(false);
  });

  it('is not judged anew for what does not concern doors', () => {
    const media = Node.fromPartial({ id: 'm', role: 'NODE_ROLE_MEDIA', epoch: 'x' });
    expect(doors.see([door('b', 'bbbb0001'), media, door('a', 'aaaa0001')])).toBe(false);
  });
});
