import { CallEvent } from '@callmesh/proto/call';
import { type NodeCommand, NodeCommandResult } from '@callmesh/proto/command';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { LiveLegs } from '../domain/live-legs.ts';
import { handOver } from './hand-over.ts';

const LEG = '87c55f32-2001-4f47-bf76-64e75f3a4143';
const OTHER = '00c55f32-2001-4f47-bf76-64e75f3a4143';
const REPLACES = `replaces-${Buffer.from('page-2').toString('hex')}`;
const about = (event: string, legUuid: string, more: Partial<CallEvent> = {}) =>
  CallEvent.fromPartial({
    ...{ event, legUuid, role: 'NODE_ROLE_MEDIA', tenantId: 'acme', sessionId: '0123456789abcdef' },
    ...{ nodeId: 'fs-1', nodeEpoch: 'e1', sequence: 7, at: new Date(), ...more },
  });
let legs: LiveLegs;
let sent: NodeCommand[];
let otherwise: string[];

/** An agent that talks on leg "one", and on leg "two" to whom it called from its dialog "page-2". */
beforeEach(() => {
  legs = new LiveLegs();
  sent = [];
  otherwise = [];
  const agentId = 'alice@acme.example';
  for (const event of [
    about('created', LEG),
    about('created', 'one', { agentId }),
    about('bridged', LEG, { otherLegUuid: 'one' }),
    about('created', 'door', { role: 'NODE_ROLE_ROUTER', nodeId: 'r', callId: 'page-2' }),
    about('created', 'mesh', { role: 'NODE_ROLE_ROUTER', nodeId: 'r', callId: 'mesh-2' }),
    about('bridged', 'door', { role: 'NODE_ROLE_ROUTER', nodeId: 'r', otherLegUuid: 'mesh' }),
  ])
    legs.apply(event);
});

function consulting(nodeId: string): void {
  const at = { nodeId, nodeEpoch: `of ${nodeId}` };
  const life = nodeId === 'fs-1' ? { nodeId, nodeEpoch: 'e1' } : at;
  legs.apply(about('created', 'two', { ...life, agentId: 'alice@acme.example', callId: 'mesh-2' }));
  legs.apply(about('created', OTHER, { ...life, outbound: true, callee: 'bob' }));
  legs.apply(about('bridged', 'two', { ...life, otherLegUuid: OTHER }));
}

async function given(referredTo: string, errorCode = ''): Promise<void> {
  await handOver({
    legs,
    logger: pino({ level: 'silent' }),
    send: async (_, command) => {
      sent.push(command);
      return NodeCommandResult.fromPartial({ errorCode });
    },
    otherwise: async (event) => void otherwise.push(event.referredTo),
  })(about('referred', LEG, { referredTo }));
}

describe('a call that is given away', () => {
  it('to a number is given to that number', async () => {
    await given('1002');
    expect([otherwise, sent]).toEqual([['1002'], []]);
  });

  it('to whom the agent consulted is connected there, once', async () => {
    consulting('fs-1');
    await given(REPLACES);
    expect(otherwise).toEqual([]);
    expect(sent).toMatchObject([
      {
        ...{ commandId: `refer-${LEG}-7`, legUuid: LEG, nodeEpoch: 'e1', tenantId: 'acme' },
        command: { $case: 'bridge', value: { otherLegUuid: OTHER } },
      },
    ]);
  });

  it('to whom the agent consulted on another node calls that one anew', async () => {
    consulting('fs-2');
    await given(REPLACES);
    expect([otherwise, sent]).toEqual([['bob'], []]);
  });

  it('to nobody is given to a number that nobody has', async () => {
    await given(REPLACES);
    expect([otherwise, sent]).toEqual([[REPLACES], []]);
  });

  it('comes again while its node does not answer, and not when one of the two has gone', async () => {
    consulting('fs-1');
    await expect(given(REPLACES, 'unavailable')).rejects.toThrow();
    await expect(given(REPLACES, 'not_found')).resolves.toBeUndefined();
  });
});
