import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Question {
  readonly path: string;
  readonly authorization: string;
  readonly body: Record<string, unknown>;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

/** Answers a question, or takes the response into its own hands and returns nothing. */
export type Script = (
  question: Question,
  response: ServerResponse,
) => Answer | undefined | Promise<Answer | undefined>;

/** Policy's HTTP side with scripted answers. Probes (`{}`) are answered like the real one and not counted. */
export class FakePolicy {
  readonly questions: Question[] = [];
  /** What the edge told of what it refused by itself. */
  readonly audits: Record<string, unknown>[] = [];
  probes = 0;
  script: Script;
  /** What a probe meets; undefined is the good answer. */
  probeScript: Script | undefined;
  readonly #server: Server;

  private constructor(server: Server, script: Script) {
    this.#server = server;
    this.script = script;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(script: Script = () => undefined): Promise<FakePolicy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakePolicy(server, script);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>;
    if (request.url === '/v1/audit') {
      this.audits.push(body);
      response.writeHead(202, { 'content-type': 'application/json' }).end('{}');
      return;
    }
    const question = { path: request.url ?? '', authorization: request.headers.authorization ?? '', body };
    const probe = Object.keys(body).length === 0;
    if (probe) this.probes += 1;
    else this.questions.push(question);
    const script = probe ? (this.probeScript ?? probed) : this.script;
    const answer = await script(question, response);
    if (!answer || response.writableEnded || response.destroyed) return;
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(text);
  }
}

const probed: Script = () => refusal(400, 'invalid_argument', 400, 'Bad Request');

export interface RouteOptions {
  readonly tenant?: string;
  readonly rtpengine?: 'auto' | 'always' | 'never';
  readonly extra?: Record<string, unknown>;
}

/** A 200 that names these nodes (`ip:port`) in order. */
export function routeTo(nodes: readonly string[], options: RouteOptions = {}): Answer {
  const tenant = options.tenant ?? 'acme';
  const routes = nodes.map((node, i) => ({
    uri: `sip:4930123456@${node}`,
    dst_uri: `sip:${node};transport=udp`,
    headers: {
      extra: `X-Callmesh-Session: 0123456789abcdef\r\nX-Callmesh-Tenant: ${tenant}\r\nX-Callmesh-Function: general\r\nX-Callmesh-Node: node-${i}\r\n`,
    },
  }));
  return {
    status: 200,
    body: {
      version: '1.0',
      routing: 'serial',
      routes,
      session_id: '0123456789abcdef',
      tenant,
      trunk: 'acme-pbx',
      function: 'general',
      group: 'media-a',
      node: 'node-0',
      reason: 'lightest',
      rtpengine: options.rtpengine ?? 'never',
      ...options.extra,
    },
  };
}

/** A refusal in the shape of the error catalogue. */
export function refusal(
  status: number,
  code: string,
  sipStatus: number,
  sipReason: string,
  extra: Record<string, unknown> = {},
): Answer {
  return { status, body: { code, message: code, sip_status: sipStatus, sip_reason: sipReason, ...extra } };
}
