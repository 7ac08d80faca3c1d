import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { eventually } from '@callmesh/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mediaNodes, type TestTenant, World } from '../mesh/world.ts';
import { Collector, type Span } from '../support/collector.ts';

const acme: TestTenant = {
  ...{ id: 'acme', host: '127.0.11.1', group: 'red', number: '+4930100100' },
  destination: { destination_kind: 'announcement', destination: 'tone_stream://%(1000,0,425)' },
};
const md5 = (text: string) => createHash('md5').update(text).digest('hex');

let collector: Collector;
let world: World;
beforeAll(async () => {
  collector = await Collector.start();
  world = await World.start([acme], {
    nodes: mediaNodes('red', 1, { set: { parkS: 60 } }),
    replicas: { 'call-control': 1 },
    telemetry: { trace_ratio: 1, otlp: { endpoint: collector.url, metrics_every_s: 1 } },
  });
}, 120_000);
afterAll(async () => {
  await world?.stop();
  collector?.stop();
});

const called = (name: string) => (span: Span) => span.name === name;

describe('a call that is traced', () => {
  let spans: Span[];
  let callId: string;
  beforeAll(async () => {
    const call = await (await world.pbx(acme)).call(world.to(acme));
    callId = call.callId;
    const traced = () => collector.spans.filter(({ traceId }) => traceId === md5(callId));
    await eventually(() => traced().some(called('leg answered')), 'the trace is whole');
    spans = await eventually(() => {
      const all = traced();
      const ids = new Set(all.map(({ spanId }) => spanId));
      return all.filter(({ parentSpanId }) => !ids.has(parentSpanId)).length === 1 && all;
    }, 'every step has come');
    await call.bye();
  });

  const parent = ({ parentSpanId }: Span) => spans.find(({ spanId }) => spanId === parentSpanId);
  const path = (span: Span | undefined): string[] =>
    span ? [...path(parent(span)), `${span.service.replace('callmesh-', '')}: ${span.name}`] : [];

  it("begins with the door's question, and its id is the MD5 of the Call-ID", () => {
    const [first, ...more] = spans.filter((span) => !parent(span));
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      service: 'callmesh-policy',
      name: 'POST /v1/routes/session',
      parentSpanId: md5(`${world.mesh.edge.id}${callId}11`).slice(0, 16),
    });
  });

  it('goes through session-cache', () => {
    const bind = spans.find((span) => span.service === 'callmesh-session-cache' && span.name === 'bind');
    expect(path(bind)).toEqual(['policy: POST /v1/routes/session', 'policy: bind', 'session-cache: bind']);
  });

  it("goes over the node's agent and call-control into the event socket", () => {
    expect(path(spans.find(called('esl bgapi uuid_transfer')))).toEqual([
      'policy: POST /v1/routes/session',
      'node-agent: leg created',
      'call-control: application',
      'call-control: command run',
      'node-agent: command run',
      'node-agent: esl bgapi uuid_transfer',
    ]);
    const resolves = spans.filter(called('callmesh.policy.v1.PolicyService/ResolveDestination'));
    expect(path(resolves.find(({ service }) => service === 'callmesh-policy'))).toEqual([
      'policy: POST /v1/routes/session',
      'node-agent: leg created',
      'call-control: application',
      'call-control: callmesh.policy.v1.PolicyService/ResolveDestination',
      'policy: callmesh.policy.v1.PolicyService/ResolveDestination',
    ]);
  });

  it('is one trace, and every step names the call and its session', () => {
    const sessions = new Set(spans.map(({ attributes }) => attributes['callmesh.session']));
    expect(sessions.size).toBe(1);
    for (const { name, attributes } of spans)
      expect(attributes, name).toMatchObject({ 'callmesh.session': expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(new Set(collector.spans.map(({ traceId }) => traceId)).size).toBe(1);
  });

  it('has its ids on what is logged of it', () => {
    const { spec } = world.mesh.service('policy-1');
    const lines = readFileSync(spec.log, 'utf8')
      .split('\n')
      .filter((line) => line.includes(callId));
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ trace_id: md5(callId), call_id: callId });
    expect(lines.length).toBeGreaterThan(0);
  });
});

it('metrics are pushed to the collector too', async () => {
  await eventually(() => collector.metrics.has('callmesh_policy_decisions'), 'metrics are pushed');
});
