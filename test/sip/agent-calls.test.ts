import { freePort } from '@callmesh/local';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Agent, alice, bob } from './agent.ts';
import { type AgentsStage, acceptAgent, agentPolicy, agentsStage } from './agents-stage.ts';
import { Dialog } from './caller.ts';
import { refusal } from './fake-policy.ts';
import { all, header, replyTo, type SipMessage, tagOf, uriOf } from './message.ts';
import { nodeTag } from './node.ts';
import type { Binding, Router } from './router.ts';
import { WebPeer } from './web-peer.ts';

const tenant = (id: string): readonly [string, string] => ['X-Callmesh-Tenant', id];

/** An agent that answers what it is called with, and says 200 to the rest. */
function answering(agent: Agent): Agent {
  const peer = agent.peer as WebPeer;
  peer.handler = (message) => {
    if (!message.method || message.method === 'ACK') return;
    peer.send(replyTo(message, 200, 'OK', { toTag: 'agent-tag', contact: peer.contact }));
  };
  return agent;
}

/** A call of a router to this contact, answered and acknowledged. */
async function rung(s: AgentsStage, router: Router, binding: Binding): Promise<Dialog> {
  const dialog = router.dialogTo(binding, s.edge);
  dialog.send('INVITE', { headers: [tenant('acme')] });
  const { message } = await dialog.reply('INVITE');
  expect(message.status).toBe(200);
  dialog.confirm(message);
  return dialog;
}

describe('a call of an agent', () => {
  const s = agentsStage();
  let router: Router;

  beforeEach(async () => {
    router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
  });

  it('goes to the router policy names, with who calls and for whom', async () => {
    const agent = await s.registered(alice);
    const dialog = agent.dial('bob');
    expect((await agent.call(dialog)).status).toBe(200);
    const { message } = await router.peer.takeRequest('INVITE');
    expect(header(message, 'X-Callmesh-Agent')).toBe('alice@acme.example');
    expect(header(message, 'X-Callmesh-Tenant')).toBe('acme');
    expect(header(message, 'X-Callmesh-Session')).toMatch(/^[0-9a-f]{16}$/);
    expect(header(message, 'Authorization')).toBe('');
    expect(s.policy.questions.map(({ path }) => path)).toEqual(['/v1/routes/session']);
    expect(s.policy.questions[0]?.body).toMatchObject({
      method: 'INVITE',
      from_uri: 'sip:alice@acme.example',
      request_uri: 'sip:bob@acme.example',
      transport: 'ws',
      origin: 'https://agents.acme.example',
    });
    await router.peer.takeRequest('ACK');
  });

  it('over a connection where it is not registered, or no longer, is refused before anything else, and that is told', async () => {
    const stranger = await s.webAgent(alice);
    const brief = await s.webAgent(alice);
    expect((await brief.register({ expires: 1 })).status).toBe(200);
    expect((await brief.call(brief.dial('bob'))).status).toBe(200);
    const gone = await s.registered(alice);
    expect((await gone.register({ expires: 0 })).status).toBe(200);
    s.policy.questions.length = 0;
    for (const agent of [stranger, gone])
      expect((await agent.call(agent.dial('bob'))).startLine).toBe('SIP/2.0 403 Not Registered');
    const called = async () => (await brief.call(brief.dial('bob'))).status;
    await expect.poll(called, { timeout: 5_000, interval: 300 }).toBe(403);
    await expect.poll(() => s.policy.audits.length).toBe(3);
    expect(s.policy.audits[0]).toMatchObject({
      ...{ what: 'call', domain: 'acme.example', source_address: '127.0.0.3' },
      detail: 'alice@acme.example is not registered over its connection, or no longer',
    });
    expect((await stranger.register()).status).toBe(200);
    expect((await stranger.call(stranger.dial('bob'))).status).toBe(200);
  });

  it('goes to the next router when the first does not take it', async () => {
    const [silent, busy] = [await s.router({ status: 0 }), await s.router({ status: 503 })];
    const agent = await s.registered(alice);
    s.policy.script = agentPolicy([alice], [silent, busy, router]);
    expect((await agent.call(agent.dial('bob'))).status).toBe(200);
    expect(all((await router.peer.takeRequest('INVITE')).message, 'X-Callmesh-Node')).toEqual(['node-2']);
  });

  it.each([
    ['agent_disabled', 403, 'Agent Disabled'],
    ['destination_forbidden', 403, 'Destination Forbidden'],
    ['unknown_agent', 404, 'Not Found'],
  ])('that policy refuses with %s is answered so', async (code, status, reason) => {
    const agent = await s.registered(alice);
    s.policy.script = () => refusal(status, code, status, reason);
    expect((await agent.call(agent.dial('bob'))).startLine).toBe(`SIP/2.0 ${status} ${reason}`);
  });

  it.each(['X-Callmesh-Tenant: evil', 'x-callmesh-agent: evil', 'P-Asserted-Identity: <sip:evil@evil>'])(
    'cannot say %s itself, not even to the second router',
    async (line) => {
      const busy = await s.router({ status: 503 });
      const agent = await s.registered(alice);
      s.policy.script = agentPolicy([alice], [busy, router]);
      const [name = '', value = ''] = line.split(': ');
      expect((await agent.call(agent.dial('bob'), { headers: [[name, value]] })).status).toBe(200);
      for (const { message } of [...busy.peer.received, ...router.peer.received])
        expect(message.raw.toString()).not.toContain('evil');
    },
  );

  it('with a Route of its own goes nowhere else', async () => {
    const agent = await s.registered(alice);
    const dialog = agent.dial('bob');
    dialog.routes = ['<sip:10.0.0.1;lr>'];
    expect((await agent.call(dialog)).startLine).toBe('SIP/2.0 403 Preloaded Route Denied');
    // Its own Path, should it come to know it, is a way for nodes only.
    dialog.routes = [router.bindings[0]!.path];
    dialog.cseq += 1;
    await agent.call(dialog);
    expect((agent.peer as WebPeer).count('INVITE')).toBe(0);
  });

  it.each(['MESSAGE', 'SUBSCRIBE', 'PUBLISH'])(
    'is all it may start beside registering: %s is not',
    async (method) => {
      const agent = await s.registered(alice);
      const dialog = agent.dial('bob');
      dialog.send(method);
      expect((await dialog.reply(method)).message.status).toBe(405);
      expect(s.policy.questions).toEqual([]);
    },
  );

  it('that it cancels while policy is asked gets 487, and no router hears of it', async () => {
    const agent = await s.registered(alice);
    const dialog = agent.dial('bob');
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    s.policy.script = async ({ path }) => {
      await held;
      return acceptAgent(alice, path, [router]);
    };
    dialog.send('INVITE');
    const { message: challenge } = await dialog.reply('INVITE');
    dialog.acknowledgeRefusal(challenge);
    dialog.cseq += 1;
    dialog.send('INVITE', { branch: 'gone', headers: [agent.credentials(dialog, challenge)] });
    await expect.poll(() => s.policy.questions.length).toBe(1);
    dialog.send('CANCEL', { branch: 'gone' });
    expect((await dialog.reply('CANCEL')).message.status).toBe(200);
    expect((await dialog.reply('INVITE', 300)).message.status).toBe(487);
    release();
    s.policy.script = agentPolicy([alice], [router]);
    expect((await agent.call(agent.dial('carol'))).status).toBe(200);
    expect(router.peer.count('INVITE')).toBe(1);
  });
});

describe('a call to an agent', () => {
  const s = agentsStage(() => ({ AGENT_FR_TIMER_MS: '500' }));
  let router: Router;
  let agent: Agent;
  let binding: Binding;

  beforeEach(async () => {
    router = await s.router();
    s.policy.script = agentPolicy([alice, bob], [router]);
    agent = await s.webAgent(alice);
    await agent.register();
    binding = router.bindings[0]!;
  });

  it('reaches it over its own connection, by the Path alone, and policy is not asked', async () => {
    s.policy.questions.length = 0;
    const dialog = router.dialogTo(binding, s.edge);
    dialog.send('INVITE', { headers: [tenant('acme'), ['X-Callmesh-Session', '0123456789abcdef']] });
    const { message } = await agent.peer.takeRequest('INVITE');
    // As the agent registered it, and nothing of the mesh's own.
    expect(message.uri).toBe(agent.peer.contact);
    expect(message.raw.toString()).not.toContain('X-Callmesh');
    expect(all(message, 'Route')).toEqual([]);
    expect(s.policy.questions).toEqual([]);
  });

  it('is possible for a router that never saw the registration', async () => {
    const other = await s.router();
    const dialog = other.dialogTo(binding, s.edge);
    dialog.send('INVITE', { headers: [tenant('acme')] });
    await agent.peer.takeRequest('INVITE');
  });

  it('rings, is answered, and is ended by either side', async () => {
    answering(agent);
    const first = await rung(s, router, binding);
    await agent.peer.takeRequest('ACK');
    first.cseq += 1;
    first.send('BYE');
    expect((await first.reply('BYE')).message.status).toBe(200);
    await agent.peer.takeRequest('BYE');

    const second = await rung(s, router, binding);
    const { message: invite } = await agent.peer.take(
      'INVITE',
      (m) => header(m, 'Call-ID') === second.callId,
    );
    const callee = Dialog.answering(agent.peer, s.door, invite, 'agent-tag');
    callee.send('BYE');
    expect((await callee.reply('BYE')).message.status).toBe(200);
    await router.peer.takeRequest('BYE');
  });

  it.each(['INFO', 'UPDATE', 'REFER', 'MESSAGE', 'NOTIFY', 'OPTIONS', 'INVITE'])(
    'carries %s both ways within it',
    async (method) => {
      answering(agent);
      const caller = await rung(s, router, binding);
      const { message: invite } = await agent.peer.takeRequest('INVITE');
      const headers = method === 'REFER' ? [['Refer-To', '<sip:1002@acme.example>'] as const] : [];
      caller.cseq += 1;
      caller.send(method, { headers });
      expect((await caller.reply(method)).message.status).toBe(200);
      const { message } = await agent.peer.takeRequest(method);
      expect(message.uri).toBe(agent.peer.contact);
      const callee = Dialog.answering(agent.peer, s.door, invite, 'agent-tag');
      callee.send(method, { headers });
      expect((await callee.reply(method)).message.status).toBe(200);
      await router.peer.takeRequest(method);
    },
  );

  it.each([
    ['<sip:1002@evil.example;method=INVITE>', 'sip:1002@acme'],
    ['"Bob" <sip:bob@acme.example>', 'sip:bob@acme'],
    ['<tel:+4930>', 'sip:+4930@acme'],
    // Of the other call its Call-ID alone.
    ['<sip:bob@b.invalid?Replaces=1%40x%3Bto-tag%3D2%3Bfrom-tag%3D3>', 'sip:replaces-314078@acme'],
    ['<sip:bob@b.invalid;x=y?Subject=z&replaces=1%40x>', 'sip:replaces-314078@acme'],
  ])('given to %s tells the node whom, and nothing more', async (asked, told) => {
    answering(agent);
    await rung(s, router, binding);
    const { message: invite } = await agent.peer.takeRequest('INVITE');
    const callee = Dialog.answering(agent.peer, s.door, invite, 'agent-tag');
    callee.send('REFER', { headers: [['Refer-To', asked]] });
    const { message: refer } = await router.peer.takeRequest('REFER');
    expect(header(refer, 'Refer-To')).toBe(told);
  });

  it.each([
    ['<sip:bob@acme.example?Replaces=>', 400],
    [`<sip:bob@acme.example?Replaces=${'1'.repeat(200)}>`, 400],
    ['<sip:x%22y@acme.example>', 400],
    ['', 400],
  ])('is not given to %s', async (asked, status) => {
    answering(agent);
    await rung(s, router, binding);
    const { message: invite } = await agent.peer.takeRequest('INVITE');
    const callee = Dialog.answering(agent.peer, s.door, invite, 'agent-tag');
    callee.send('REFER', { headers: asked ? [['Refer-To', asked]] : [] });
    expect((await callee.reply('REFER')).message.status).toBe(status);
  });

  it('cancelled while it rings stops ringing', async () => {
    const dialog = router.dialogTo(binding, s.edge);
    dialog.send('INVITE', { branch: 'ring', headers: [tenant('acme')] });
    const { message: invite } = await agent.peer.takeRequest('INVITE');
    agent.peer.send(replyTo(invite, 180, 'Ringing', { toTag: 'agent-tag' }), s.door);
    await dialog.reply('INVITE', 180);
    dialog.send('CANCEL', { branch: 'ring', headers: [] });
    const { message: cancel } = await agent.peer.takeRequest('CANCEL');
    agent.peer.send(replyTo(cancel, 200, 'OK'), s.door);
    agent.peer.send(replyTo(invite, 487, 'Request Terminated', { toTag: 'agent-tag' }), s.door);
    expect((await dialog.reply('INVITE', 300)).message.status).toBe(487);
  });

  it('whose connection has ended is refused at once with 430: the caller goes on', async () => {
    (agent.peer as WebPeer).drop();
    await expect.poll(() => router.bindings).toEqual([]);
    const dialog = router.dialogTo(binding, s.edge);
    const started = Date.now();
    dialog.send('INVITE', { headers: [tenant('acme')] });
    expect((await dialog.reply('INVITE', 300)).message.startLine).toBe('SIP/2.0 430 Flow Failed');
    expect(Date.now() - started).toBeLessThan(200);
  });

  it('whose connection hears nothing any more is given up soon', async () => {
    (agent.peer as WebPeer).freeze();
    const dialog = router.dialogTo(binding, s.edge);
    dialog.send('INVITE', { headers: [tenant('acme')] });
    expect((await dialog.reply('INVITE', 300)).message.startLine).toBe('SIP/2.0 430 Flow Failed');
  });

  it('rings all its devices, and whoever has the same address later is not one of them', async () => {
    const home = await s.webAgent(alice);
    await home.register();
    expect(router.bindings).toHaveLength(2);
    for (const each of router.bindings)
      router.dialogTo(each, s.edge).send('INVITE', { headers: [tenant('acme')] });
    await agent.peer.takeRequest('INVITE');
    await home.peer.takeRequest('INVITE');
    // The connection's number decides, not its address alone.
    const number = /~(\d+)~[0-9a-f]{8};/.exec(binding.path)![1]!;
    const forged = { ...binding, path: binding.path.replace(`~${number}~`, `~${Number(number) + 1}~`) };
    const dialog = router.dialogTo(forged, s.edge);
    dialog.send('INVITE', { headers: [tenant('acme')] });
    expect((await dialog.reply('INVITE', 300)).message.startLine).toBe('SIP/2.0 403 Not a Path');
  });

  it.each<readonly [string, (path: string) => string]>([
    ['another agent’s address', (path) => path.replace('127.0.0.3', '127.0.0.9')],
    ['another tenant', (path) => path.replace('tn=acme', 'tn=bravo')],
    ['no signature', (path) => path.replace(/;sg=[0-9a-f]+/, '')],
    ['another edge behind it', (path) => `${path}, <sip:127.0.0.1:9;lr>`],
    ['another edge', (path) => path.replace(/@127.0.0.1:\d+/, '@127.0.0.1:9')],
  ])('along a Path of %s is refused', async (_, spoil) => {
    const dialog = router.dialogTo({ ...binding, path: spoil(binding.path) }, s.edge);
    dialog.send('INVITE', { headers: [tenant('bravo')] });
    expect((await dialog.reply('INVITE', 300)).message.startLine).toBe('SIP/2.0 403 Not a Path');
    expect((agent.peer as WebPeer).count('INVITE')).toBe(0);
  });

  it.each([[[tenant('bravo')]], [[]]])('for tenant %j never reaches an agent of acme', async (headers) => {
    const dialog = router.dialogTo(binding, s.edge);
    dialog.send('INVITE', { headers });
    expect((await dialog.reply('INVITE', 300)).message.startLine).toBe('SIP/2.0 403 Agent of Another Tenant');
    expect((agent.peer as WebPeer).count('INVITE')).toBe(0);
  });

  it('from a node without a Path is refused', async () => {
    const dialog = new Dialog(router.peer, s.edge, { to: agent.peer.contact });
    dialog.send('INVITE', { headers: [tenant('acme')] });
    expect((await dialog.reply('INVITE', 300)).message.startLine).toBe('SIP/2.0 403 No Path');
  });

  it('from outside along a Path is a call of a stranger’s, who is asked for credentials', async () => {
    const thief = await s.udpAgent(bob);
    const dialog = new Dialog(thief.peer, s.door, { to: agent.peer.contact });
    dialog.routes = [binding.path];
    dialog.send('INVITE', { headers: [tenant('acme')] });
    expect((await dialog.reply('INVITE', 300)).message.status).toBe(401);
    expect((agent.peer as WebPeer).count('INVITE')).toBe(0);
  });

  it('asks with OPTIONS whether it is there', async () => {
    answering(agent);
    const ask = async () => {
      const dialog = router.dialogTo(binding, s.edge);
      dialog.send('OPTIONS', { headers: [tenant('acme')] });
      return (await dialog.reply('OPTIONS')).message.status;
    };
    expect(await ask()).toBe(200);
    expect((agent.peer as WebPeer).count('OPTIONS')).toBe(1);
    (agent.peer as WebPeer).drop();
    await expect.poll(() => router.bindings).toEqual([]);
    expect(await ask()).toBe(430);
  });
});

describe('a call to a phone behind NAT', () => {
  const s = agentsStage();

  it('over UDP goes back to where the registration came from', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
    const agent = await s.udpAgent(alice);
    await agent.register({ contact: 'sip:alice@192.168.1.20:5060' });
    const dialog = router.dialogTo(router.bindings[0]!, s.edge);
    dialog.send('INVITE', { headers: [tenant('acme')] });
    const { message, from } = await agent.peer.takeRequest('INVITE');
    expect(message.uri).toBe('sip:alice@192.168.1.20:5060');
    // From the address it spoke to, or its NAT would not let it in.
    expect(from.port).toBe(s.door.port);
    agent.peer.send(
      replyTo(message, 200, 'OK', { toTag: 'agent-tag', contact: 'sip:alice@192.168.1.20:5060' }),
      from,
    );
    dialog.confirm((await dialog.reply('INVITE')).message);
    await agent.peer.takeRequest('ACK');
    dialog.cseq += 1;
    dialog.send('BYE');
    await agent.peer.takeRequest('BYE');
  });
});

describe('an agent at an IPv6 address', () => {
  let port = 0;
  const s = agentsStage(async () => {
    port = await freePort();
    return { SIP_LISTEN_4: `tcp:[::1]:${port}` };
  });

  it('registers, is called and is called within the call by nodes that speak IPv4', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
    const peer = await WebPeer.open(`ws://[::1]:${port}`, { localAddress: '::1' });
    const agent = answering(new Agent(peer, s.door, alice));
    expect((await agent.register()).status).toBe(200);
    expect(s.policy.questions[0]?.body.source_address).toBe('::1');
    const call = await rung(s, router, router.bindings[0]!);
    call.cseq += 1;
    call.send('BYE');
    expect((await call.reply('BYE')).message.status).toBe(200);
    await peer.takeRequest('BYE');
    peer.drop();
    await expect.poll(() => router.bindings).toEqual([]);
  });
});

describe('an agent that lost its network during a call', () => {
  const s = agentsStage();
  let router: Router;
  let agent: Agent;
  const open: WebPeer[] = [];

  afterEach(() => {
    for (const peer of open.splice(0)) peer.close();
  });

  beforeEach(async () => {
    router = await s.router();
    s.policy.script = agentPolicy([alice, bob], [router]);
    agent = answering(await s.webAgent(alice));
    await agent.register();
  });

  /** The same browser with a new socket. */
  async function back(): Promise<Agent> {
    const again = answering(await s.back(agent));
    expect((await again.register()).status).toBe(200);
    return again;
  }

  /** A call the agent placed, and the router's side of it. */
  async function placed(): Promise<{ agents: Dialog; routers: Dialog }> {
    const agents = agent.dial('bob');
    expect((await agent.call(agents)).status).toBe(200);
    const { message } = await router.peer.takeRequest('INVITE');
    return { agents, routers: Dialog.answering(router.peer, s.edge, message, nodeTag) };
  }

  it.each(['INVITE', 'UPDATE', 'INFO', 'BYE'])(
    'is found at its new connection by %s of a call it received',
    async (method) => {
      const call = await rung(s, router, router.bindings[0]!);
      (agent.peer as WebPeer).drop();
      const again = await back();
      call.cseq += 1;
      call.send(method);
      expect((await call.reply(method)).message.status).toBe(200);
      expect((again.peer as WebPeer).count(method)).toBe(1);
    },
  );

  it('is found at its new connection by what comes within a call it placed', async () => {
    const { routers } = await placed();
    (agent.peer as WebPeer).drop();
    const again = await back();
    routers.send('UPDATE');
    expect((await routers.reply('UPDATE')).message.status).toBe(200);
    expect((again.peer as WebPeer).count('UPDATE')).toBe(1);
  });

  it('is found there also while the old connection only seems to live', async () => {
    const call = await rung(s, router, router.bindings[0]!);
    (agent.peer as WebPeer).freeze();
    const again = await back();
    call.cseq += 1;
    call.send('INFO');
    expect((await call.reply('INFO')).message.status).toBe(200);
    expect((again.peer as WebPeer).count('INFO')).toBe(1);
  });

  it('goes on with its call itself over the new connection', async () => {
    const { agents } = await placed();
    (agent.peer as WebPeer).drop();
    const again = await back();
    const moved = Object.assign(Object.create(Dialog.prototype), agents, { peer: again.peer }) as Dialog;
    moved.cseq += 1;
    moved.send('BYE');
    expect((await moved.reply('BYE')).message.status).toBe(200);
    await router.peer.takeRequest('BYE');
  });

  it.each(['INVITE', 'UPDATE', 'BYE'])(
    'and does not come back has its call ended: %s is answered 481',
    async (method) => {
      const call = await rung(s, router, router.bindings[0]!);
      (agent.peer as WebPeer).drop();
      await expect.poll(() => router.bindings).toEqual([]);
      call.cseq += 1;
      call.send(method);
      const { message } = await call.reply(method, 300);
      expect(message.startLine).toBe('SIP/2.0 481 Agent Is Gone');
    },
  );

  it('is not mistaken for another agent’s device that came instead', async () => {
    const call = await rung(s, router, router.bindings[0]!);
    (agent.peer as WebPeer).drop();
    const other = await s.webAgent(bob);
    (other.peer as WebPeer).contact = agent.peer.contact;
    await other.register();
    call.cseq += 1;
    call.send('BYE');
    expect((await call.reply('BYE', 300)).message.status).toBe(481);
    expect((other.peer as WebPeer).count('BYE')).toBe(0);
  });

  it('loses its calls with this edge’s life: connection numbers begin again, signatures do not match them', async () => {
    const call = await rung(s, router, router.bindings[0]!);
    await s.edge.kill();
    await s.edge.begin();
    await s.edge.nodes([router.key]);
    await s.edge.policies([s.policy.url]);
    await s.edge.rpc('htable.sets', ['origins', 'https://agents.acme.example', '1']);
    // Somebody else has the number the agent's connection had.
    const other = await s.webAgent(bob);
    await other.register();
    call.cseq += 1;
    call.send('UPDATE');
    expect((await call.reply('UPDATE', 300)).message.status).toBe(481);
    // The agent comes back, and its call goes on.
    const again = await back();
    call.cseq += 1;
    call.send('UPDATE');
    expect((await call.reply('UPDATE')).message.status).toBe(200);
    expect((again.peer as WebPeer).count('UPDATE')).toBe(1);
    expect((other.peer as WebPeer).count('UPDATE')).toBe(0);
  });
});

describe('what is not a dialog of the sender’s', () => {
  const s = agentsStage();

  it('an agent cannot end another agent’s call, whatever it knows of it', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice, bob], [router]);
    const agent = await s.registered(alice);
    const dialog = agent.dial('bob');
    const ok = await agent.call(dialog);
    const { message: invite } = await router.peer.takeRequest('INVITE');
    const thief = await s.registered(bob);
    const forged = new Dialog(thief.peer, s.door, { to: uriOf(header(ok, 'Contact')), from: dialog.local });
    forged.remoteTag = tagOf(header(ok, 'To'));
    // It knows tags, the node's address and even a signed route, of a call of its own.
    const owned = thief.dial('alice');
    await thief.call(owned);
    forged.routes = owned.routes;
    const text = forged
      .request('BYE')
      .replace(/^Call-ID: .*$/m, `Call-ID: ${dialog.callId}`)
      .replace(/;tag=[^;>\r]+/, `;tag=${dialog.localTag}`);
    thief.peer.send(text, s.door);
    const { message: no } = await thief.peer.take('403', (m) => (m.status ?? 0) >= 300 && methodIs(m, 'BYE'));
    expect(no.startLine).toBe('SIP/2.0 403 Not Your Dialog');
    expect(router.peer.count('BYE')).toBe(0);
    expect(header(invite, 'Record-Route')).toContain('sg=');
  });
});

const methodIs = (message: SipMessage, method: string) => header(message, 'CSeq').endsWith(` ${method}`);
