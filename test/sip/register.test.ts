import { beforeEach, describe, expect, it } from 'vitest';
import { Agent, alice, bob, dave, type RegisterOptions } from './agent.ts';
import { acceptAgent, agentPolicy, agentsStage } from './agents-stage.ts';
import { type Account, authorize, digestParameters } from './credentials.ts';
import { refusal } from './fake-policy.ts';
import { all, header, parse, type SipMessage, uriOf } from './message.ts';
import type { Router } from './router.ts';
import { StreamPeer } from './stream-peer.ts';
import type { WebPeer } from './web-peer.ts';

const nonceOf = (reply: SipMessage) => digestParameters(header(reply, 'WWW-Authenticate')).nonce;

describe('an agent that registers', () => {
  const s = agentsStage();
  let router: Router;

  beforeEach(async () => {
    router = await s.router();
    s.policy.script = agentPolicy([alice, bob, dave], [router]);
  });

  it('is challenged for its own domain, and policy is asked once, with credentials', async () => {
    const agent = await s.webAgent(alice);
    const challenge = await agent.attempt();
    expect(challenge.status).toBe(401);
    expect(digestParameters(header(challenge, 'WWW-Authenticate'))).toMatchObject({
      realm: 'acme.example',
      qop: 'auth',
    });
    expect(s.policy.questions).toEqual([]);
    expect((await agent.attempt({}, challenge)).status).toBe(200);
    expect(s.policy.questions).toHaveLength(1);
    expect(s.policy.questions[0]?.body).toMatchObject({
      edge: 'kama-wss-test',
      method: 'REGISTER',
      to_uri: 'sip:alice@acme.example',
      transport: 'ws',
      source_address: '127.0.0.3',
      origin: 'https://agents.acme.example',
    });
  });

  it('is known to the router by its contact and a Path to its flow, and to whom it belongs', async () => {
    const agent = await s.webAgent(alice);
    const ok = await agent.register({ headers: [['Path', '<sip:evil@10.0.0.1;lr>']] });
    expect(ok.status).toBe(200);
    const { request } = router.bindings[0]!;
    expect(request.uri).toBe('sip:acme.example');
    expect(all(request, 'Path')).toHaveLength(1);
    expect(header(request, 'Path')).toContain(
      `<sip:kama-wss-test@127.0.0.1:${s.edge.port};transport=udp;lr;ob`,
    );
    expect(header(request, 'Path')).toContain(';tn=acme;op=ws~127.0.0.3~');
    expect(uriOf(header(request, 'Contact'))).toContain(agent.peer.contact);
    expect(header(request, 'X-Callmesh-Tenant')).toBe('acme');
    expect(header(request, 'X-Callmesh-Agent')).toBe('alice@acme.example');
    expect(header(request, 'Authorization')).toBe('');
    expect(all(request, 'Record-Route')).toEqual([]);
    // Addresses inside stay inside.
    expect(header(ok, 'Path')).toBe('');
  });

  it.each<readonly [string, Account]>([
    ['with a wrong password', { ...alice, password: 'guess' }],
    ['that nobody knows', { ...alice, user: 'mallory' }],
    ['of a domain nobody has', { ...alice, realm: 'elsewhere.example' }],
  ])('%s is refused with the same 403, and no router hears of it', async (_, account) => {
    const no = await (await s.webAgent(account)).register();
    expect(no.startLine).toBe('SIP/2.0 403 Forbidden');
    expect(router.peer.count('REGISTER')).toBe(0);
    // Policy refused, and policy tells of it.
    expect(s.policy.audits).toEqual([]);
  });

  it('and is switched off hears so', async () => {
    s.policy.script = () => refusal(403, 'agent_disabled', 403, 'Agent Disabled');
    expect((await (await s.webAgent(alice)).register()).startLine).toBe('SIP/2.0 403 Agent Disabled');
  });

  it('with credentials that were used already is challenged anew, policy is not asked, and that is told once', async () => {
    const agent = await s.webAgent(alice);
    const challenge = await agent.attempt();
    expect((await agent.attempt({}, challenge)).status).toBe(200);
    s.policy.questions.length = 0;
    const thief = await s.webAgent(alice, { localAddress: '127.0.0.7' });
    const no = await thief.attempt({}, challenge);
    expect(no.status).toBe(401);
    expect(digestParameters(header(no, 'WWW-Authenticate'))).toMatchObject({ stale: 'true' });
    expect(nonceOf(no)).not.toBe(nonceOf(challenge));
    expect(s.policy.questions).toEqual([]);
    await expect.poll(() => s.policy.audits.length).toBe(1);
    expect(s.policy.audits[0]).toMatchObject({
      what: 'replay',
      domain: 'acme.example',
      source_address: '127.0.0.7',
      detail: 'credentials of alice for acme.example were used already',
    });
    expect(router.bindings).toHaveLength(1);
  });

  it('with a nonce of its own making is challenged, whatever policy says', async () => {
    const agent = await s.webAgent(alice);
    const forged = (await agent.attempt()).raw.toString('latin1').replace(/nonce="...../, 'nonce="AAAAA');
    expect((await agent.attempt({}, parse(Buffer.from(forged, 'latin1')))).status).toBe(401);
    expect(router.bindings).toEqual([]);
  });

  it('may use its nonce for the next request, counted on, and never count back', async () => {
    const agent = await s.webAgent(alice);
    const challenge = await agent.attempt();
    expect((await agent.attempt({}, challenge, 1)).status).toBe(200);
    expect((await agent.attempt({}, challenge, 2)).status).toBe(200);
    expect((await agent.attempt({}, challenge, 2)).status).toBe(401);
    expect((await agent.attempt({}, challenge, 1)).status).toBe(401);
  });

  it('unregisters, and the router hears which contact', async () => {
    const agent = await s.webAgent(alice);
    await agent.register();
    expect((await agent.register({ expires: 0 })).status).toBe(200);
    expect(router.bindings).toEqual([]);
  });

  it('for longer than policy allows is registered for as long as that', async () => {
    await (await s.webAgent(alice)).register({ expires: 86_400 });
    expect(router.bindings[0]?.expires).toBe(300);
  });

  it.each<readonly [string, RegisterOptions, number]>([
    ['in its Contact', { expires: 250, contactHeader: '<sip:a@b.invalid>;expires=60' }, 60],
    ['in capitals', { expires: 250, contactHeader: '<sip:a@b.invalid>; EXPIRES=70' }, 70],
    ['as a word', { contactHeader: '<sip:a@b.invalid>;expires=soon' }, 300],
    ['beyond all numbers', { contactHeader: '<sip:a@b.invalid>;expires=99999999999999999999' }, 300],
    ['not at all', { contactHeader: 'sip:a@b.invalid', headers: [] }, 300],
  ])('and says for how long %s is understood', async (_, options, seconds) => {
    expect((await (await s.webAgent(alice)).register(options)).status).toBe(200);
    expect(router.bindings[0]?.expires).toBe(seconds);
  });

  it('asks what is registered, without a Contact', async () => {
    expect((await (await s.webAgent(alice)).register({ contactHeader: undefined })).status).toBe(200);
    expect(router.bindings).toEqual([]);
    expect(router.peer.count('REGISTER')).toBe(1);
  });

  it('removes all its contacts with a star', async () => {
    const agent = await s.webAgent(alice);
    expect((await agent.register({ contactHeader: '*', expires: 0 })).status).toBe(200);
    expect(header(router.peer.received.at(-1)!.message, 'Contact')).toBe('*');
  });

  it.each([
    ['*'],
    ['<sip:a@b.invalid>, <sip:c@d.invalid>'],
    ['<sip:a@b.invalid;fs_path=sip%3Aevil%4010.0.0.1>'],
    ['<sip:a@b.invalid;x=1;FS_PATH=y>'],
    ['<sip:a@b.invalid;cmflow=00000000>'],
    ['<sip:a@b.invalid|sofia/mesh/evil>'],
    ['<sip:a,b@c.invalid>'],
    ['<sip:${expand}@b.invalid>'],
    ["<sip:a'b@c.invalid>"],
    ['<sip:a^b@c.invalid>'],
    ['<sip:a@b.invalid;x={y=z}>'],
    ['<sip:a@b.invalid?Route=x>'],
    ['<tel:+4930123456>'],
    ['<http://b.invalid>'],
    [`<sip:${'a'.repeat(300)}@b.invalid>`],
    ['"a, b" <sip:a@b.invalid>'],
    ['<sip:a@b.invalid>;x="<sip:y>, <sip:z@z>" <sip:c@d>'],
  ])('with the contact %s is refused with 400', async (contactHeader) => {
    const agent = await s.webAgent(alice);
    const no = await agent.attempt({ contactHeader });
    expect(no.status).toBe(400);
    expect(s.policy.questions).toEqual([]);
    expect(router.peer.count('REGISTER')).toBe(0);
  });

  it('with two Contact headers is refused', async () => {
    const agent = await s.webAgent(alice);
    const no = await agent.attempt({ headers: [['Contact', '<sip:c@d.invalid>']] });
    expect(no.status).toBe(400);
  });

  it.each(['X-Callmesh-Tenant', 'X-Callmesh-Agent', 'P-Asserted-Identity', 'X-AUTH-IP'])(
    'cannot say %s itself, not even to the second router',
    async (name) => {
      const dead = await s.router();
      dead.registerStatus = 503;
      s.policy.script = agentPolicy([alice], [dead, router]);
      expect((await (await s.webAgent(alice)).register({ headers: [[name, 'evil']] })).status).toBe(200);
      for (const { message } of [...dead.peer.received, ...router.peer.received])
        expect(message.raw.toString()).not.toContain('evil');
      expect(all(router.bindings[0]!.request, 'Path')).toHaveLength(1);
      expect(all(router.bindings[0]!.request, 'Contact')).toHaveLength(1);
      expect(all(router.bindings[0]!.request, 'X-Callmesh-Node')).toEqual(['node-1']);
    },
  );

  it('is taken by the next router when the first is silent or paused', async () => {
    const [silent, paused] = [await s.router(), await s.router()];
    silent.registerStatus = 0;
    paused.registerStatus = 503;
    s.policy.script = agentPolicy([alice], [silent, paused, router]);
    expect((await (await s.webAgent(alice)).register()).status).toBe(200);
    expect(router.bindings).toHaveLength(1);
  });

  it('is told to come again when no router takes it', async () => {
    router.registerStatus = 503;
    const no = await (await s.webAgent(alice)).register();
    expect(no.startLine).toBe('SIP/2.0 503 No Node Took the Registration');
    expect(Number(header(no, 'Retry-After'))).toBeGreaterThan(0);
  });

  it('speaks for one tenant over one connection, and an attempt at another is told once', async () => {
    const agent = await s.webAgent(alice);
    await agent.register();
    const no = await new Agent(agent.peer, s.door, dave).register();
    expect(no.startLine).toBe('SIP/2.0 403 Connection of Another Tenant');
    expect(router.bindings.map(({ aor }) => aor)).toEqual(['alice@acme.example']);
    await expect.poll(() => s.policy.audits.length).toBe(1);
    expect(s.policy.audits[0]).toMatchObject({ what: 'register' });
    // Two of one tenant may share: a phone with two lines.
    expect((await new Agent(agent.peer, s.door, bob).register()).status).toBe(200);
  });

  it('is asked about once however often its REGISTER is retransmitted', async () => {
    const agent = await s.udpAgent(alice);
    const challenge = await agent.attempt();
    const dialog = agent.registrations;
    dialog.cseq += 1;
    const uri = 'sip:acme.example';
    const credentials = authorize(alice, challenge, 'REGISTER', uri);
    const text = dialog
      .request('REGISTER', {
        headers: [
          ['Authorization', credentials],
          ['Expires', '60'],
        ],
      })
      .replace(/^To: .*$/m, 'To: <sip:alice@acme.example>');
    for (let i = 0; i < 5; i++) agent.peer.send(text, s.door);
    expect((await dialog.reply('REGISTER')).message.status).toBe(200);
    agent.peer.send(text, s.door);
    expect((await dialog.reply('REGISTER')).message.status).toBe(200);
    expect(s.policy.questions).toHaveLength(1);
    expect(router.peer.count('REGISTER')).toBe(1);
  });

  it('over UDP is registered for a shorter time: that holds its NAT open', async () => {
    expect((await (await s.udpAgent(alice)).register({ expires: 3600 })).status).toBe(200);
    expect(router.bindings[0]?.expires).toBe(120);
    expect(router.bindings[0]?.path).toContain(';op=udp~127.0.0.4~');
  });

  it('over TCP is registered by its connection', async () => {
    const stream = await StreamPeer.tcp(s.door.port, '127.0.0.5');
    const agent = new Agent(stream.asPeer('TCP'), s.door, alice);
    expect((await agent.register()).status).toBe(200);
    expect(router.bindings[0]?.path).toContain(';op=tcp~127.0.0.5~');
    stream.close();
  });
});

describe('the registration of an agent whose connection ended', () => {
  const s = agentsStage();
  let router: Router;

  beforeEach(async () => {
    router = await s.router();
    s.policy.script = agentPolicy([alice, bob], [router]);
  });

  it.each<readonly [string, (peer: WebPeer) => void]>([
    ['closed', (peer) => peer.close()],
    ['broken', (peer) => peer.drop()],
  ])('is removed at the router at once when it was %s', async (_, end) => {
    const agent = await s.webAgent(alice);
    await agent.register();
    expect(router.bindings).toHaveLength(1);
    const { contact, path } = router.bindings[0]!;
    end(agent.peer as WebPeer);
    await expect.poll(() => router.bindings).toEqual([]);
    const last = router.peer.received.at(-1)!.message;
    expect(uriOf(header(last, 'Contact'))).toBe(contact);
    expect(header(last, 'Path')).toBe(path);
    expect(header(last, 'Call-ID')).toBe(agent.registrations.callId);
    expect(header(last, 'To')).toContain('sip:alice@acme.example');
    expect(header(last, 'X-Callmesh-Tenant')).toBe('acme');
    expect(header(last, 'X-Callmesh-Agent')).toBe('alice@acme.example');
  });

  it('is removed by another router when the one that keeps it is dead', async () => {
    const other = await s.router();
    await s.edge.rpc('htable.sets', ['tenants', 'acme', '3']);
    await s.edge.fallbackNodes([[3, other.key]]);
    const agent = await s.webAgent(alice);
    await agent.register();
    const { contact } = router.bindings[0]!;
    await s.edge.rpc('htable.sets', ['nodes', router.key, 'down|fs-router-1|e']);
    (agent.peer as WebPeer).drop();
    const { message } = await other.peer.takeRequest('REGISTER');
    expect(uriOf(header(message, 'Contact'))).toBe(contact);
    expect(header(message, 'Expires')).toBe('0');
  });

  it('is removed also when that happened while the router was still asked', async () => {
    const agent = await s.webAgent(alice);
    const held = new Promise<void>((resolve) => {
      router.beforeRegister = () => {
        (agent.peer as WebPeer).drop();
        return new Promise((go) =>
          setTimeout(() => {
            go();
            resolve();
          }, 300),
        );
      };
    });
    void agent.register().catch(() => {});
    await held;
    await expect.poll(() => router.peer.count('REGISTER')).toBe(2);
    await expect.poll(() => router.bindings).toEqual([]);
  });

  it('of several lines is removed for each', async () => {
    const agent = await s.webAgent(alice);
    await agent.register();
    await new Agent(agent.peer, s.door, bob).register();
    expect(router.bindings).toHaveLength(2);
    (agent.peer as WebPeer).drop();
    await expect.poll(() => router.bindings).toEqual([]);
  });

  it('stays when the same device is there again over another connection, and the old one goes at once', async () => {
    const agent = await s.webAgent(alice);
    await agent.register();
    const again = await s.back(agent);
    await again.register();
    const current = router.bindings.at(-1)!;
    // The old connection still seems to live; its registration is no way to the agent any more.
    await expect.poll(() => router.bindings).toEqual([current]);
    // FreeSWITCH also forgets by Call-ID, and this one is the new registration's.
    expect(header(router.peer.received.at(-1)!.message, 'Call-ID')).not.toBe(again.registrations.callId);
    const registers = router.peer.count('REGISTER');
    (agent.peer as WebPeer).drop();
    expect((await again.register()).status).toBe(200);
    await expect.poll(() => router.bindings.map(({ path }) => path)).toEqual([current.path]);
    expect(router.peer.count('REGISTER')).toBe(registers + 1);
  });

  it('is another’s when it is another device', async () => {
    const [desk, home] = [await s.webAgent(alice), await s.webAgent(alice)];
    await desk.register();
    await home.register();
    expect(router.bindings).toHaveLength(2);
    (desk.peer as WebPeer).drop();
    await expect.poll(() => router.bindings.length).toBe(1);
    expect(router.bindings[0]?.contact).toContain(home.peer.contact);
  });

  it('is the same device’s when it names its instance, whatever its contact', async () => {
    const instance = '+sip.instance="<urn:uuid:00000000-0000-4000-8000-000000000001>"';
    const first = await s.webAgent(alice);
    await first.register({ contactHeader: `<${first.peer.contact}>;${instance};reg-id=1` });
    const second = await s.webAgent(alice);
    await second.register({ contactHeader: `<${second.peer.contact}>;reg-id=1;${instance}` });
    await expect.poll(() => router.bindings.length).toBe(1);
    expect(router.bindings[0]?.contact).toContain(second.peer.contact);
  });
});

describe('a browser that fell silent', () => {
  const s = agentsStage(() => ({ WS_KEEPALIVE_S: '1' }));

  it('is asked whether it is there, and unregistered when it is not', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice, bob], [router]);
    const [silent, there] = [await s.webAgent(alice), await s.webAgent(bob)];
    await silent.register();
    await there.register();
    (silent.peer as WebPeer).freeze();
    await expect
      .poll(() => router.bindings.map(({ aor }) => aor), { timeout: 15_000 })
      .toEqual(['bob@acme.example']);
  });
});

describe('agents of one tenant', () => {
  const s = agentsStage(() => ({ TENANT_CONNECTIONS: '2' }));

  it('have as many connections as a tenant may have, and another tenant’s are not counted', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice, bob, dave], [router]);
    const first = await s.webAgent(alice);
    expect((await first.register()).status).toBe(200);
    expect((await (await s.webAgent(bob)).register()).status).toBe(200);
    const no = await (await s.webAgent(alice)).register();
    expect(no.startLine).toBe('SIP/2.0 503 Too Many Connections');
    expect(Number(header(no, 'Retry-After'))).toBeGreaterThan(0);
    expect((await (await s.webAgent(dave)).register()).status).toBe(200);
    // Who is in stays in, and who goes makes room.
    expect((await first.register()).status).toBe(200);
    (first.peer as WebPeer).drop();
    await expect.poll(() => router.bindings.length).toBe(2);
    expect((await (await s.webAgent(alice)).register()).status).toBe(200);
  });
});

describe('when everybody registers at once', () => {
  const s = agentsStage(() => ({ REGISTER_RATE: '20', REGISTER_WAIT_S: '7' }));

  it('as many a second as the routers are given begin, and the others come in when they are told', async () => {
    const router = await s.router();
    s.policy.script = agentPolicy([alice], [router]);
    const agents = await Promise.all(Array.from({ length: 60 }, () => s.webAgent(alice)));
    const replies = await Promise.all(agents.map((agent) => agent.attempt()));
    const told = replies.map((reply) => Number(header(reply, 'Retry-After')));
    // A second may have begun some time ago, and the next one meanwhile.
    const admitted = agents.filter((_, i) => replies[i]!.status === 401);
    expect(admitted.length).toBeGreaterThan(0);
    expect(admitted.length).toBeLessThanOrEqual(40);
    // Each second is full before the next one is named.
    for (const second of [1, 2, 3])
      expect(told.filter((seconds) => seconds === second).length).toBeLessThanOrEqual(20);
    expect(Math.max(...told)).toBeLessThanOrEqual(3);
    // Who has its challenge is let in now.
    const answered = await Promise.all(
      admitted.map((agent) => agent.attempt({}, replies[agents.indexOf(agent)])),
    );
    expect(new Set(answered.map(({ status }) => status))).toEqual(new Set([200]));
    // Who comes too early hears the same second again; who comes in time is let in, however many others wait.
    const late = agents[told.indexOf(Math.max(...told))]!;
    const early = await late.attempt();
    expect(early.startLine).toBe('SIP/2.0 503 Too Many Registrations');
    const wait = Number(header(early, 'Retry-After')) * 1000;
    await new Promise((resolve) => setTimeout(resolve, wait));
    expect((await late.register()).status).toBe(200);
  });
});

describe('when policy is away', () => {
  const s = agentsStage();
  let router: Router;

  beforeEach(async () => {
    router = await s.router();
    s.policy.script = agentPolicy([alice, dave], [router]);
    await s.edge.rpc('htable.sets', ['tenants', 'acme', '3']);
    await s.edge.fallbackNodes([[3, router.key]]);
  });

  it('an agent that registered over its connection keeps its registration', async () => {
    const agent = await s.webAgent(alice);
    await agent.register();
    await s.edge.policies([]);
    expect((await agent.register()).status).toBe(200);
    expect(router.bindings).toHaveLength(1);
    expect(header(router.bindings[0]!.request, 'X-Callmesh-Tenant')).toBe('acme');
    expect(header(router.bindings[0]!.request, 'X-Callmesh-Agent')).toBe('alice@acme.example');
    expect(router.bindings[0]!.request.uri).toBe('sip:acme.example');
  });

  it('and calls', async () => {
    const agent = await s.webAgent(alice);
    await agent.register();
    await s.edge.policies([]);
    expect((await agent.call(agent.dial('bob'))).status).toBe(200);
    const { message } = await router.peer.takeRequest('INVITE');
    expect(header(message, 'X-Callmesh-Agent')).toBe('alice@acme.example');
  });

  it.each([
    ['over another connection', async () => s.webAgent(alice)],
    ['over UDP, where anybody can send in its name', async () => s.udpAgent(alice)],
  ])('nobody comes in %s', async (_, open) => {
    await (await s.webAgent(alice)).register();
    await s.edge.policies([]);
    const no = await (await open()).register();
    expect(no.startLine).toBe('SIP/2.0 503 Service Unavailable');
    expect(Number(header(no, 'Retry-After'))).toBeGreaterThan(0);
  });

  it('nobody speaks for somebody else, even of its tenant', async () => {
    const agent = await s.webAgent(alice);
    await agent.register();
    await s.edge.policies([]);
    expect((await new Agent(agent.peer, s.door, bob).register()).status).toBe(503);
    const dialog = new Agent(agent.peer, s.door, bob).dial('alice');
    expect((await new Agent(agent.peer, s.door, bob).call(dialog)).status).toBe(403);
  });

  it('an answer that names no agent is no answer', async () => {
    s.policy.script = ({ path }) => {
      const answer = acceptAgent(alice, path, [router]);
      delete (answer.body as Record<string, unknown>).agent;
      return answer;
    };
    expect((await (await s.webAgent(alice)).register()).status).toBe(503);
  });

  it('an answer without the means to check the nonce lets nobody in', async () => {
    s.policy.script = ({ path }) => {
      const answer = acceptAgent(alice, path, [router]);
      delete (answer.body as Record<string, unknown>).ha1;
      return answer;
    };
    expect((await (await s.webAgent(alice)).register()).status).toBe(503);
    expect(router.bindings).toEqual([]);
  });
});
