import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { alice } from './agent.ts';
import { agentPolicy, agentsStage } from './agents-stage.ts';
import { Dialog } from './caller.ts';
import { routeTo } from './fake-policy.ts';
import { header, replyTo } from './message.ts';
import { nodeTag } from './node.ts';
import type { SipPeer } from './peer.ts';
import { stage } from './stage.ts';

/** Longer than Kamailio itself waits before it leaves a branch that rings alone for two minutes. */
const A_WHILE_MS = 700;
/** What is promised from the moment the table says that a node is dead. */
const SOON_MS = 2_000;
const RINGING = { ringOnly: true };

describe('a call that rings', () => {
  const s = stage();

  /** A call of the PBX that has been ringing for a while at the first of these nodes. */
  async function ringing(nodes: readonly SipPeer[]): Promise<Dialog> {
    s.policy.script = () => routeTo(nodes.map(({ key }) => key));
    const dialog = new Dialog(s.pbx, s.edge);
    dialog.send('INVITE');
    await dialog.reply('INVITE', 180);
    await delay(A_WHILE_MS);
    return dialog;
  }

  it('goes on to the next node when the first dies, and is answered there', async () => {
    const [dying, next] = [await s.node(RINGING), await s.node()];
    const dialog = await ringing([dying, next]);
    const before = await s.edge.metric('callmesh_node_failures_total', '{cause="died"}');
    await s.edge.nodes([dying.key], 'down');
    const { message } = await dialog.reply('INVITE', 200, SOON_MS);
    expect(message.status).toBe(200);
    dialog.confirm(message);
    await next.takeRequest('ACK');
    expect(await s.edge.metric('callmesh_node_failures_total', '{cause="died"}')).toBe(before + 1);
    // Whoever it was that only seemed dead is told that nobody waits for it any more.
    await dying.takeRequest('CANCEL');
  });

  it('goes on as well when its node is there again in another life', async () => {
    const [restarting, next] = [await s.node(RINGING), await s.node()];
    const dialog = await ringing([restarting, next]);
    await s.edge.rpc('htable.sets', ['nodes', restarting.key, 'up|node|another']);
    expect((await dialog.reply('INVITE', 200, SOON_MS)).message.status).toBe(200);
  });

  it('goes on and on: the next one may ring and die, too', async () => {
    const nodes = [
      await s.node(RINGING),
      await s.node(RINGING),
      await s.node({ status: 503 }),
      await s.node(),
    ];
    const dialog = await ringing(nodes);
    await s.edge.nodes([nodes[0]!.key], 'down');
    await dialog.reply('INVITE', 180, SOON_MS);
    await delay(A_WHILE_MS);
    await s.edge.nodes([nodes[1]!.key], 'down');
    expect((await dialog.reply('INVITE', 200, SOON_MS)).message.status).toBe(200);
  });

  it('is refused when there is no other node', async () => {
    const dying = await s.node(RINGING);
    const dialog = await ringing([dying]);
    await s.edge.nodes([dying.key], 'down');
    const { message } = await dialog.reply('INVITE', 200, SOON_MS);
    expect(message.startLine).toBe('SIP/2.0 503 No Node Took the Call');
    expect(Number(header(message, 'Retry-After'))).toBeGreaterThan(0);
  });

  it('rings on while its node is suspected, drained of others, or no longer in the table', async () => {
    const [node, other] = [await s.node(RINGING), await s.node()];
    const dialog = await ringing([node, other]);
    const { message: invite, from } = await node.takeRequest('INVITE');
    for (const status of ['suspect', 'draining', 'drained']) await s.edge.nodes([node.key], status);
    await s.edge.rpc('htable.delete', ['nodes', node.key]);
    // Longer than the edge takes to see it.
    await delay(300);
    await s.edge.nodes([node.key]);
    node.send(replyTo(invite, 200, 'OK', { toTag: nodeTag, contact: `sip:node@${node.key}` }), from);
    expect((await dialog.reply('INVITE')).message.status).toBe(200);
    expect(other.count('INVITE')).toBe(0);
  });

  it('is ended by nobody who only says that its node died', async () => {
    const [node, other] = [await s.node(RINGING), await s.node()];
    const dialog = await ringing([node, other]);
    const { message: invite, from } = await node.takeRequest('INVITE');
    const stranger = await s.party('127.0.0.9');
    stranger.send(replyTo(invite, 199, 'Early Dialog Terminated', { toTag: nodeTag }), s.edge);
    node.send(replyTo(invite, 486, 'Busy Here', { toTag: nodeTag }), from);
    expect((await dialog.reply('INVITE')).message.status).toBe(486);
    expect(other.count('INVITE')).toBe(0);
  });

  it('is no call alone: of 300 at one node all go on', async () => {
    const [dying, next] = [await s.node(RINGING), await s.node()];
    s.policy.script = () => routeTo([dying.key, next.key]);
    const [rings, answered] = [new Set<string>(), new Set<string>()];
    s.pbx.handler = (message) => {
      if (message.status === 180) rings.add(header(message, 'Call-ID'));
      if (message.status === 200) answered.add(header(message, 'Call-ID'));
    };
    for (let n = 0; n < 300; n += 1) new Dialog(s.pbx, s.edge).send('INVITE');
    await expect.poll(() => rings.size, { timeout: 5_000 }).toBe(300);
    await delay(A_WHILE_MS);
    await s.edge.nodes([dying.key], 'down');
    await expect.poll(() => answered.size, { timeout: SOON_MS }).toBe(300);
  });

  it('outside, for a node that dies, is cancelled there', async () => {
    const node = await s.node();
    await s.edge.rpc('htable.sets', ['trunkdest', s.pbx.key, 'acme|acme-pbx|never']);
    const dialog = new Dialog(node, s.edge, { to: `sip:200@${s.pbx.key}` });
    dialog.send('INVITE');
    const { message: invite, from } = await s.pbx.takeRequest('INVITE');
    s.pbx.send(replyTo(invite, 180, 'Ringing', { toTag: 'pbx' }), from);
    await dialog.reply('INVITE', 180);
    await delay(A_WHILE_MS);
    await s.edge.nodes([node.key], 'down');
    await s.pbx.takeRequest('CANCEL', SOON_MS);
  });
});

describe('at the agents’ door, a call that rings', () => {
  const s = agentsStage();

  it('goes on to the next router when the first dies', async () => {
    const [dying, next] = [await s.router(RINGING), await s.router()];
    s.policy.script = agentPolicy([alice], [next]);
    const agent = await s.registered(alice);
    s.policy.script = agentPolicy([alice], [dying, next]);
    const dialog = agent.dial('bob');
    const answered = agent.call(dialog);
    await dialog.reply('INVITE', 180);
    await delay(A_WHILE_MS);
    await s.edge.nodes([dying.key], 'down');
    expect((await answered).status).toBe(200);
  });

  it('at an agent, for a router that dies, is cancelled there', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
    const agent = await s.registered(alice);
    const [binding] = router.bindings;
    const dialog = router.dialogTo(binding!, s.edge);
    dialog.send('INVITE', { headers: [['X-Callmesh-Tenant', 'acme']] });
    const { message: invite } = await agent.peer.takeRequest('INVITE');
    agent.peer.send(replyTo(invite, 180, 'Ringing', { toTag: 'agent' }), s.door);
    await dialog.reply('INVITE', 180);
    await delay(A_WHILE_MS);
    await s.edge.nodes([router.key], 'down');
    await agent.peer.takeRequest('CANCEL', SOON_MS);
  });
});
