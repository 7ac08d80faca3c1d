import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';

/** The call that is worked on: on every span and log line that is made meanwhile. */
export interface CallNames {
  /** SIP Call-ID. */
  readonly call_id?: string | undefined;
  readonly session?: string | undefined;
}

const CALL = createContextKey('callmesh.call');

/** The call that is worked on now; empty when none is. */
export function currentCall(now: Context = context.active()): CallNames {
  return (now.getValue(CALL) as CallNames | undefined) ?? {};
}

/** Runs something for a call; what is not said of it stays as it was. Empty names say nothing. */
export function aboutCall<T>(names: CallNames, run: () => T): T {
  const said = Object.entries(names).filter(([, value]) => value);
  const call = { ...currentCall(), ...Object.fromEntries(said) };
  trace.getActiveSpan()?.setAttributes(attributesOf(call));
  return context.with(context.active().setValue(CALL, call), run);
}

export function attributesOf({ call_id, session }: CallNames): Attributes {
  return { ...(call_id && { 'callmesh.call_id': call_id }), ...(session && { 'callmesh.session': session }) };
}

/** A step of a trace: the context to work in, and its end; with a reason, it failed. */
export interface Step {
  readonly context: Context;
  end(failure?: string): void;
}

/**
 * A step of the trace that is current in `parent`. Of what belongs to no trace, or to
 * one that is not recorded, there is no span: whether a call is traced is decided
 * once, by whoever first hears of it.
 */
export function startStep(name: string, kind: SpanKind, parent: Context, attributes: Attributes): Step {
  if (!isRecorded(parent)) return { context: parent, end: () => {} };
  return stepOf(tracer().startSpan(name, { kind, attributes }, parent), parent);
}

/** Runs something as a step; see startStep. */
export function inSpan<T>(name: string, kind: SpanKind, attributes: Attributes, run: () => T): T {
  return runIn(startStep(name, kind, context.active(), attributes), run);
}

/** The first step of a call, at the service that first hears of it: the sampler decides whether it is recorded. */
export function startFirstStep(name: string, parent: Context): Step {
  return stepOf(tracer().startSpan(name, { kind: SpanKind.SERVER }, parent), parent);
}

/** Runs something in a step that somebody else ends. */
export function withStep<T>({ context: step }: Step, run: () => T): T {
  return context.with(step, run);
}

function stepOf(span: Span, parent: Context): Step {
  return {
    context: trace.setSpan(parent, span),
    end(failure) {
      if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      span.end();
    },
  };
}

function runIn<T>(step: Step, run: () => T): T {
  const failed = (error: unknown) => {
    step.end((error as Error).message);
    throw error;
  };
  return context.with(step.context, () => {
    try {
      const result = run();
      if (result instanceof Promise)
        return result.then((value) => {
          step.end();
          return value;
        }, failed) as T;
      step.end();
      return result;
    } catch (error) {
      return failed(error);
    }
  });
}

function tracer() {
  return trace.getTracer('callmesh');
}

function isRecorded(where: Context): boolean {
  return ((trace.getSpanContext(where)?.traceFlags ?? 0) & 1) === 1;
}

/** The trace of what is done now as a W3C traceparent; empty where nothing is recorded. */
export function traceparent(): string {
  const now = trace.getSpanContext(context.active());
  return now && now.traceFlags & 1 ? `00-${now.traceId}-${now.spanId}-01` : '';
}

/** Runs something that was asked for in the trace of this traceparent; one that is none is ignored. */
export function continueTrace<T>(parent: string | undefined, run: () => T): T {
  if (!parent) return run();
  return context.with(propagation.extract(context.active(), { traceparent: parent }), run);
}

/** What goes with a request to another process: the trace, where it is recorded, and the call. */
export function inject<C>(carrier: C, setter: TextMapSetter<C>): void {
  const now = context.active();
  if (isRecorded(now)) propagation.inject(now, carrier, setter);
  const { call_id, session } = currentCall(now);
  if (call_id) setter.set(carrier, 'callmesh-call-id', encodeURIComponent(call_id));
  if (session) setter.set(carrier, 'callmesh-session', session);
}

/** The context a request came with. */
export function extract<C>(carrier: C, getter: TextMapGetter<C>): Context {
  const one = (key: string) => {
    const value = getter.get(carrier, key);
    return (Array.isArray(value) ? value[0] : value) ?? '';
  };
  const call = { call_id: decoded(one('callmesh-call-id')), session: one('callmesh-session') };
  const parent = propagation.extract(ROOT_CONTEXT, carrier, getter);
  return call.call_id || call.session ? parent.setValue(CALL, call) : parent;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

export { SpanKind };
