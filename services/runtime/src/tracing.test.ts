import { createHash } from 'node:crypto';
import { context, propagation, ROOT_CONTEXT, type TextMapGetter, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import {
  aboutCall,
  continueTrace,
  currentCall,
  extract,
  inject,
  inSpan,
  SpanKind,
  startFirstStep,
  traceparent,
  withStep,
} from './tracing.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const from = (flags: string) => `00-${TRACE}-b7ad6b7169203331-${flags}`;
const spans = new InMemorySpanExporter();
const half = new TraceIdRatioBasedSampler(0.5);
const provider = new NodeTracerProvider({
  sampler: new ParentBasedSampler({ root: half, remoteParentNotSampled: half }),
  spanProcessors: [new SimpleSpanProcessor(spans)],
});
provider.register();
afterAll(async () => {
  await provider.shutdown();
  trace.disable();
  context.disable();
  propagation.disable();
});
beforeEach(() => spans.reset());

const getter: TextMapGetter<Record<string, string>> = {
  get: (carrier, key) => carrier[key],
  keys: (carrier) => Object.keys(carrier),
};
const step = <T>(run: () => T) => inSpan('step', SpanKind.INTERNAL, {}, run);
const sent = () => {
  const carrier: Record<string, string> = {};
  inject(carrier, { set: (to, key, value) => Object.assign(to, { [key]: value }) });
  return carrier;
};

describe('a step', () => {
  it.each([
    ['that belongs to no trace', undefined],
    ['of a trace that is not recorded', from('00')],
    ['after something that is no traceparent', 'a stranger wrote this'],
  ])('%s is no span, and is taken all the same', (_, parent) => {
    expect(continueTrace(parent, () => step(() => traceparent() || 'done'))).toBe('done');
    expect(spans.getFinishedSpans()).toEqual([]);
  });

  it('of a trace that is recorded is a span of it', () => {
    const inside = continueTrace(from('01'), () => step(traceparent));
    const [span] = spans.getFinishedSpans();
    expect(span).toMatchObject({
      name: 'step',
      parentSpanContext: { traceId: TRACE, spanId: 'b7ad6b7169203331' },
    });
    expect(inside).toBe(`00-${TRACE}-${span!.spanContext().spanId}-01`);
  });

  it('that fails fails, and its span says so', async () => {
    const failing = continueTrace(from('01'), () => step(() => Promise.reject(new Error('it broke'))));
    await expect(failing).rejects.toThrow('it broke');
    expect(spans.getFinishedSpans()).toMatchObject([{ status: { message: 'it broke' } }]);
  });
});

describe('whether a call is traced', () => {
  const decided = (traceId: string) => {
    const first = startFirstStep(
      'first',
      extract({ traceparent: `00-${traceId}-b7ad6b7169203331-00` }, getter),
    );
    return withStep(first, () => traceparent() !== '');
  };
  const ids = Array.from({ length: 400 }, (_, n) => createHash('md5').update(`call-${n}`).digest('hex'));

  it('is decided by whoever first hears of it, for as many as the ratio says', () => {
    const traced = ids.filter(decided).length;
    expect(traced).toBeGreaterThan(120);
    expect(traced).toBeLessThan(280);
  });

  it('is decided alike by all who are asked about the same call', () => {
    expect(ids.map(decided)).toEqual(ids.map(decided));
  });
});

describe('a call', () => {
  const call = { call_id: 'a1@[2001:db8::1]', session: '0123456789abcdef' };

  it('is known to everything that is done for it, in another process too', () => {
    const carrier = aboutCall(call, sent);
    expect(context.with(extract(carrier, getter), () => currentCall())).toEqual(call);
  });

  it('keeps what was said of it before', () => {
    const seen = aboutCall({ call_id: 'a1' }, () =>
      aboutCall({ session: 's1', call_id: '' }, () => currentCall()),
    );
    expect(seen).toEqual({ call_id: 'a1', session: 's1' });
  });

  it('is nobody outside of it, and what is sent then says nothing', () => {
    expect(currentCall(ROOT_CONTEXT)).toEqual({});
    expect(sent()).toEqual({});
  });
});
