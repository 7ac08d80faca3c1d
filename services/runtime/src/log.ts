import { trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { redact } from './redact.ts';
import { currentCall } from './tracing.ts';

/** One JSON object a line, on stdout unless told, with the call and the trace it belongs to, and without what is marked. */
export function createLogger(
  service: string,
  instance: string,
  level: string,
  to?: DestinationStream,
): Logger {
  const options: LoggerOptions = {
    level,
    base: { service, instance },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: redact },
    mixin: () => {
      const span = trace.getActiveSpan()?.spanContext();
      const traced = span && { trace_id: span.traceId, span_id: span.spanId };
      return { ...currentCall(), ...traced };
    },
  };
  return to ? pino(options, to) : pino(options);
}
