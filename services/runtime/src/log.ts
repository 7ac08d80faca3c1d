import { trace } from '@opentelemetry/api';
import { type Logger, pino } from 'pino';
import { currentCall } from './tracing.ts';

/** One JSON object a line on stdout, with the call and the trace it belongs to. */
export function createLogger(service: string, instance: string, level: string): Logger {
  return pino({
    level,
    base: { service, instance },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: () => {
      const span = trace.getActiveSpan()?.spanContext();
      const traced = span && { trace_id: span.traceId, span_id: span.spanId };
      return { ...currentCall(), ...traced };
    },
  });
}
