import { type Context, type Meter, metrics, type Tracer, trace } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationType,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
  type Span,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import type { CommonConfig } from './config.ts';
import { attributesOf, currentCall } from './tracing.ts';

export interface Telemetry {
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly exporter: PrometheusExporter;
  shutdown(): Promise<void>;
}

type TelemetryConfig = CommonConfig['telemetry'];

/** Bucket bounds of latency histograms in seconds: a decision is far below a millisecond, a timeout is seconds. */
const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];
/** Longest a span waits to be sent, and a collector is waited for, milliseconds. */
const SPANS_EVERY_MS = 1_000;
const COLLECTOR_MS = 5_000;

/** Metrics for Prometheus to fetch, and W3C trace context from call to call; both to a collector where there is one. */
export function startTelemetry(service: string, instance: string, config: TelemetryConfig): Telemetry {
  const resource = resourceFromAttributes({
    'service.name': `callmesh-${service}`,
    'service.namespace': 'callmesh',
    'service.instance.id': instance,
  });
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    withResourceConstantLabels: /^service\.(name|instance\.id)$/,
  });
  const meterProvider = new MeterProvider({
    resource,
    readers: [exporter, ...pushedMetrics(config)],
    views: [
      {
        instrumentType: InstrumentType.HISTOGRAM,
        instrumentUnit: 's',
        aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: SECONDS } },
      },
    ],
  });
  metrics.setGlobalMeterProvider(meterProvider);
  const ratio = new TraceIdRatioBasedSampler(config.trace_ratio);
  const tracerProvider = new NodeTracerProvider({
    resource,
    // A door names the trace and records nothing itself: whom it asks decides, by the trace's id, so that
    // of several who are asked about one call all decide alike.
    sampler: new ParentBasedSampler({ root: ratio, remoteParentNotSampled: ratio }),
    spanProcessors: pushedSpans(config),
  });
  tracerProvider.register();
  return {
    meter: metrics.getMeter('callmesh'),
    tracer: trace.getTracer('callmesh'),
    exporter,
    shutdown: async () => {
      await meterProvider.shutdown();
      await tracerProvider.shutdown();
    },
  };
}

function pushedMetrics({ otlp }: TelemetryConfig): PeriodicExportingMetricReader[] {
  if (!otlp) return [];
  const exporter = new OTLPMetricExporter({
    url: `${otlp.endpoint}/v1/metrics`,
    headers: otlp.headers,
    timeoutMillis: COLLECTOR_MS,
  });
  const everyMs = otlp.metrics_every_s * 1000;
  const times = { exportIntervalMillis: everyMs, exportTimeoutMillis: Math.min(COLLECTOR_MS, everyMs) };
  return [new PeriodicExportingMetricReader({ exporter, ...times })];
}

function pushedSpans({ otlp }: TelemetryConfig): SpanProcessor[] {
  if (!otlp) return [];
  const exporter = new OTLPTraceExporter({
    url: `${otlp.endpoint}/v1/traces`,
    headers: otlp.headers,
    timeoutMillis: COLLECTOR_MS,
  });
  return [new CallNamer(), new BatchSpanProcessor(exporter, { scheduledDelayMillis: SPANS_EVERY_MS })];
}

/** Names the call on each of its spans. */
class CallNamer implements SpanProcessor {
  onStart(span: Span, parent: Context): void {
    span.setAttributes(attributesOf(currentCall(parent)));
  }
  onEnd(): void {}
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
