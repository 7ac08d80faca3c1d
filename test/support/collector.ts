import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as it came, with its attributes by name. */
export interface Span {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

type Attributes = readonly { readonly key: string; readonly value: Record<string, unknown> }[];
type Sent = Omit<Span, 'service' | 'attributes'> & { readonly attributes?: Attributes };
interface Traces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes };
    readonly scopeSpans: readonly { readonly spans: readonly Sent[] }[];
  }[];
}
interface Metrics {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly { readonly name: string }[] }[];
  }[];
}

/** What takes OTLP over HTTP as JSON, and keeps it. */
export class Collector {
  readonly spans: Span[] = [];
  /** Names of the metrics that were pushed. */
  readonly metrics = new Set<string>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const body = JSON.parse((await Array.fromAsync(request)).join(''));
      if (request.url === '/v1/traces') this.#keepSpans(body);
      if (request.url === '/v1/metrics') this.#keepMetrics(body);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }

  static async start(): Promise<Collector> {
    const collector = new Collector();
    await new Promise<void>((resolve) => collector.#server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #keepSpans({ resourceSpans }: Traces): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(read(resource.attributes)['service.name']);
      for (const { attributes = [], ...span } of scopeSpans.flatMap(({ spans }) => spans))
        this.spans.push({ ...span, service, attributes: read(attributes) });
    }
  }

  #keepMetrics({ resourceMetrics }: Metrics): void {
    for (const { scopeMetrics } of resourceMetrics)
      for (const { name } of scopeMetrics.flatMap(({ metrics }) => metrics)) this.metrics.add(name);
  }
}

function read(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
