import { type Meter, metrics, type Tracer, trace } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationType, InstrumentType, MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  NodeTracerProvider,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';

export interface Telemetry {
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly exporter: PrometheusExporter;
  shutdown(): Promise<void>;
}

/** Bucket bounds of latency histograms in seconds: a decision is far below a millisecond, a timeout is seconds. */
const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/** Metrics for Prometheus to fetch, and W3C trace context from call to call. */
export function startTelemetry(service: string, instance: string, traceRatio: number): Telemetry {
  const resource = resourceFromAttributes({
    'service.name': `callmesh-${service}`,
    'service.instance.id': instance,
  });
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const meterProvider = new MeterProvider({
    resource,
    readers: [exporter],
    views: [
      {
        instrumentType: InstrumentType.HISTOGRAM,
        instrumentUnit: 's',
        aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: SECONDS } },
      },
    ],
  });
  metrics.setGlobalMeterProvider(meterProvider);
  const tracerProvider = new NodeTracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(traceRatio) }),
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
