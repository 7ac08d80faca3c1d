import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Component } from './lifecycle.ts';
import type { App } from './service.ts';

/** Splits "host:port" (RFC 3986 host, IPv6 in brackets). */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

/** The bound address of a server as "host:port". */
export function boundAddress(server: Server, listen: string): string {
  const bound = server.address();
  const { host } = splitAddress(listen);
  return typeof bound === 'object' && bound
    ? `${host.includes(':') ? `[${host}]` : host}:${bound.port}`
    : listen;
}

/** /livez, /readyz, /health (what is degraded and since when) and /metrics. */
export function adminServer(app: App, listen: string): Component & { readonly address: string } {
  const answer = (res: ServerResponse, status: number, body: unknown) =>
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const routes: Record<string, (req: IncomingMessage, res: ServerResponse) => void> = {
    '/livez': (_req, res) => answer(res, 200, { status: 'alive' }),
    '/readyz': (_req, res) =>
      answer(res, app.lifecycle.state === 'ready' ? 200 : 503, { status: app.lifecycle.state }),
    '/health': (_req, res) => answer(res, 200, app.health()),
    '/metrics': (req, res) => app.telemetry.exporter.getMetricsRequestHandler(req, res),
  };
  const server = createServer((req, res) => {
    const route = routes[(req.url ?? '').split('?')[0]!];
    if (route && (req.method === 'GET' || req.method === 'HEAD')) route(req, res);
    else
      answer(res, route ? 405 : 404, {
        code: 'not_found',
        message: `expected one of ${Object.keys(routes).join(' ')}`,
      });
  });
  let address = listen;
  return {
    name: 'admin-http',
    get address() {
      return address;
    },
    async start() {
      const { host, port } = splitAddress(listen);
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
      address = boundAddress(server, listen);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
