import { randomUUID } from 'node:crypto';
import { eventually } from '@callmesh/local';
import type { WatchEventsRequest } from '@callmesh/proto/control';
import { call, fromGrpcError, serverStream } from '@callmesh/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NODE, Stage } from './stage.ts';

const SESSION = '0123456789abcdef';
const LEG = '87c55f32-2001-4f47-bf76-64e75f3a4143';
const leg = { tenantId: 'acme', sessionId: SESSION, legUuid: LEG };
const order = () => ({ idempotencyKey: randomUUID(), leg });
const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'ok',
    (error) => fromGrpcError(error).code as string,
  );

describe('call-control while things fail', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.start();
    await stage.bind(SESSION);
  }, 60_000);
  afterEach(() => {
    stage.carryOut = async () => ({});
    stage.resolve = () => ({});
  });
  afterAll(() => stage?.stop());

  const watching = (more: Partial<WatchEventsRequest> = {}, replica = 0, signal?: AbortSignal) => {
    const all = { tenantId: 'acme', sessionId: '', agentId: '', afterPosition: 0, fromStart: false };
    return serverStream(stage.control(replica), 'watchEvents', { ...all, ...more }, signal ? { signal } : {});
  };

  it('NATS frozen: a command fails by its deadline, and what reaches the node later has expired', async () => {
    const told = stage.commands.length;
    stage.natsServer.process.freeze();
    try {
      const began = performance.now();
      const code = await codeOf(call(stage.control(), 'answer', order(), { deadlineMs: 1_500 }));
      expect(['unavailable', 'outcome_unknown', 'deadline']).toContain(code);
      expect(performance.now() - began).toBeLessThan(1_700);
    } finally {
      stage.natsServer.process.thaw();
    }
    await eventually(
      async () => (await codeOf(call(stage.control(), 'answer', order()))) === 'ok',
      'it is back',
      20_000,
    );
    const late = stage.commands.slice(told, -1);
    for (const { expiresAt } of late) expect(expiresAt!.getTime()).toBeLessThan(Date.now());
  });

  it('a replica killed while it asks what a number is: another answers the call', async () => {
    const legUuid = randomUUID();
    let asked: (() => void) | undefined;
    const first = new Promise<void>((resolve) => {
      asked = resolve;
    });
    stage.resolve = () => {
      asked?.();
      return new Promise(() => {});
    };
    stage.tell('created', SESSION, legUuid, { callee: '+4930100' });
    await first;
    stage.resolve = () => ({ kind: 'RESOLVED_KIND_ECHO' });
    const { actor } = stage.asked.at(-1)!;
    const killed = stage.replicas.find(({ name }) => actor.endsWith(name))!;
    await killed.kill();
    // What nobody acknowledged comes again after ten seconds.
    await eventually(() => stage.commands.some((one) => one.legUuid === legUuid), 'the node is told', 20_000);
    await killed.start();
    expect(stage.commands.filter((one) => one.legUuid === legUuid)).toHaveLength(1);
  });

  it('a replica that stops ends its watchers, who go on at another where they were', async () => {
    const session = 'aaaabbbbccccdddd';
    const seen: string[] = [];
    let position = 0;
    const stopped = (async () => {
      for await (const one of watching({ fromStart: true }, 1)) {
        position = one.position;
        if (one.event?.sessionId === session) seen.push(one.event.event);
      }
    })();
    const ended = codeOf(stopped);
    for (const name of ['created', 'ringing']) stage.tell(name, session, LEG);
    await eventually(() => seen.length === 2, 'two are heard of');
    const stopping = stage.replicas[1]!.stop();
    expect(await ended).toBe('unavailable');
    await stopping;
    for (const name of ['answered', 'hangup']) stage.tell(name, session, LEG);
    for await (const { event } of watching({ afterPosition: position })) {
      if (event) seen.push(event.event);
      if (event?.event === 'hangup') break;
    }
    expect(seen).toEqual(['created', 'ringing', 'answered', 'hangup']);
    await stage.replicas[1]!.start();
  });

  it('a watcher that does not read costs no memory, and misses nothing when it does', async () => {
    const session = 'eeeeffff00001111';
    const [events, bytes] = [4_000, 50_000];
    const stop = new AbortController();
    const reading = watching({ sessionId: session }, 0, stop.signal);
    let watches = false;
    void reading.next().then(() => {
      watches = true;
    });
    await eventually(() => {
      stage.tell('dtmf', session, LEG, { digit: '0' });
      return watches;
    }, 'it watches');
    const before = stage.memory(0);
    for (let n = 1; n <= events; n++)
      stage.tell('dtmf', session, LEG, { digit: '1', digitMs: n, recording: 'x'.repeat(bytes) });
    await stage.calls.drain();
    // What passed through is garbage for a while; what is kept would be all of it, and that garbage too.
    expect(stage.memory(0) - before).toBeLessThan((events * bytes * 3) / 4);
    let expected = 1;
    for await (const { event } of reading) {
      if (event?.digit !== '1') continue;
      expect(event.digitMs).toBe(expected);
      expected += 1;
      if (expected > events) break;
    }
    stop.abort();
  }, 90_000);

  it('a watcher of a silent tenant hears every ten seconds how far it is', async () => {
    stage.tell('created', 'cccc000011112222', randomUUID(), { outbound: true });
    for await (const { event, position } of watching({ tenantId: 'acme', sessionId: 'ffff000011112222' })) {
      expect(event).toBeUndefined();
      expect(position).toBeGreaterThan(0);
      break;
    }
  });

  it('counts and logs commands without a word of their content', async () => {
    const text = 'somebody-secret';
    await call(stage.control(), 'say', { ...order(), say: { text, voice: '' } });
    const metrics = await (await fetch(`http://${stage.replicas[0]!.ready.http}/metrics`)).text();
    expect(metrics).toMatch(/callmesh_command_duration\w*_count\{.*command="say".*code="ok".*\} 1/);
    const log = stage.replicas[0]!.tail(5_000);
    expect(log).toMatch(/"rpc":"say","code":"ok","tenant":"acme"/);
    expect(log).not.toContain(text);
    expect(stage.commands.at(-1)).toMatchObject({ nodeEpoch: NODE.epoch });
  });
});
