import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type App, boundAddress, type Component, splitAddress, toHttpError } from '@callmesh/runtime';
import type { Sessions } from '../../adapters/sessions.ts';
import type { ConsoleConfig } from '../../config.ts';
import { Access, type Operator } from '../../domain/console/access.ts';
import { masked } from '../../domain/console/mask.ts';
import { tell } from '../../domain/console/story.ts';
import type { Recent } from '../../domain/recent.ts';
import { pages } from './pages.ts';
import type { Stream } from './stream.ts';
import { bindingView, decisionView } from './views.ts';

const COOKIE = 'callmesh_console';
const HOUR_MS = 3_600_000;
const SESSIONS_SHOWN = 50;
const DECISIONS_SHOWN = 100;
const NODE_ID = /^[a-z0-9-]{1,63}$/;
const MOST_BODY = 4_096;
const MOST_KEY = 256;
/** Only our own files, nothing inline, in nobody's frame. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
};

type Answer = {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
};

/** What the console answers from. */
interface Parts {
  readonly stream: Stream;
  readonly sessions: Sessions;
  readonly recent: Recent;
}

/** The console: pages, one stream of events, and what is asked of one node or session. Nothing here changes anything. */
export class ConsoleServer implements Component {
  readonly name = 'console';
  readonly #app: App;
  readonly #config: ConsoleConfig;
  readonly #stream: Stream;
  readonly #sessions: Sessions;
  readonly #recent: Recent;
  readonly #access: Access;
  readonly #pages = pages();
  readonly #server;
  #address: string;

  constructor(app: App, config: ConsoleConfig, { stream, sessions, recent }: Parts) {
    this.#app = app;
    this.#config = config;
    this.#stream = stream;
    this.#sessions = sessions;
    this.#recent = recent;
    this.#access = new Access(config.operators, config.session_hours * HOUR_MS);
    this.#address = config.listen;
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      void this.#handle(request, response);
    const { tls } = config;
    this.#server = tls
      ? createTlsServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, handle)
      : createServer(handle);
  }

  get address(): string {
    return this.#address;
  }

  async start(): Promise<void> {
    const { host, port } = splitAddress(this.#config.listen);
    await new Promise<void>((resolve, reject) =>
      this.#server.once('error', reject).listen(port, host, () => resolve()),
    );
    this.#address = boundAddress(this.#server, this.#config.listen);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    try {
      const url = new URL(request.url ?? '/', 'http://console');
      if (url.pathname === '/events' && request.method === 'GET') return this.#events(request, response);
      const { status, headers = {}, body = '' } = await this.#answer(request, url);
      response.writeHead(status, { 'cache-control': 'no-store', ...headers }).end(body);
    } catch (error) {
      const { status, body } = toHttpError(error);
      if (status === 500) this.#app.log.error({ err: error }, 'console failed');
      if (!response.headersSent) response.writeHead(status, JSON_TYPE);
      response.end(JSON.stringify(body));
    }
  }

  #events(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#operator(request)) return void response.writeHead(401).end();
    if (!this.#stream.open(response)) response.writeHead(503, { 'retry-after': '5' }).end();
  }

  async #answer(request: IncomingMessage, url: URL): Promise<Answer> {
    const [, first = '', ...rest] = url.pathname.split('/').map(decoded);
    if (request.method === 'POST') return this.#post(request, first);
    if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405 };
    const operator = this.#operator(request);
    if (first === '' || first === 'index.html') return operator ? this.#page('index.html') : SIGN_IN;
    if (first === 'sign-in') return this.#page('sign-in.html');
    if (first !== 'api') return this.#page(first);
    if (!operator) return json(401, { code: 'unauthenticated', message: 'sign in first' });
    return this.#ask(operator, rest, url.searchParams.get('tenant') ?? '');
  }

  #page(file: string): Answer {
    const page = this.#pages.get(file);
    return page ? { status: 200, headers: { 'content-type': page.type }, body: page.body } : { status: 404 };
  }

  async #ask(operator: Operator, [what, key = '']: readonly string[], tenant: string): Promise<Answer> {
    if (what === 'me') return json(200, { name: operator.name, numbers: operator.numbers });
    if (what === 'decisions') return json(200, this.#decisions(key));
    if (key === '' || key.length > MOST_KEY || tenant.length > MOST_KEY)
      return json(400, { code: 'invalid_argument', message: `expected up to ${MOST_KEY} characters` });
    if (what === 'nodes') {
      if (!NODE_ID.test(key))
        return json(400, { code: 'invalid_argument', message: 'expected the id of a node' });
      const { bindings, total } = await this.#sessions.on(key, SESSIONS_SHOWN);
      return json(200, { total, sessions: bindings.map(bindingView) });
    }
    if (what !== 'sessions') return { status: 404 };
    const story = tell(await this.#sessions.know(key, tenant), operator.numbers ? (party) => party : masked);
    return story
      ? json(200, story)
      : json(404, { code: 'not_found', message: 'no such session lives, and nothing is kept of it' });
  }

  /** Those with the words that stand with "+" between, and only refusals when "refused" is one of them. */
  #decisions(key: string) {
    const words = key.slice(0, MOST_KEY).toLowerCase().split('+').filter(Boolean);
    const refused = words.includes('refused');
    const rest = words.filter((word) => word !== 'refused');
    return this.#recent.search(rest, refused, DECISIONS_SHOWN).map(decisionView);
  }

  async #post(request: IncomingMessage, what: string): Promise<Answer> {
    if (what === 'sign-out')
      return { ...SIGN_IN, headers: { ...SIGN_IN.headers, 'set-cookie': this.#cookie('', 0) } };
    if (what !== 'sign-in') return { status: 404 };
    const token = new URLSearchParams(await bodyOf(request)).get('token') ?? '';
    const from = request.socket.remoteAddress ?? '';
    const operator = this.#access.byToken(token, from, Date.now());
    if (operator === undefined || operator === 'wait') {
      this.#app.log.warn({ from, wait: operator === 'wait' }, 'console: wrong token');
      return { status: 303, headers: { location: `/sign-in?${operator ?? 'wrong'}` } };
    }
    this.#app.log.info({ from, operator: operator.name }, 'console: signed in');
    const seconds = this.#config.session_hours * 3600;
    const cookie = this.#cookie(this.#access.issue(operator, Date.now()), seconds);
    return { status: 303, headers: { location: '/', 'set-cookie': cookie } };
  }

  #cookie(value: string, seconds: number): string {
    const secure = this.#config.tls ? '; Secure' : '';
    return `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`;
  }

  /** By cookie for browsers, by bearer token for programs. */
  #operator({ headers, socket }: IncomingMessage): Operator | undefined {
    const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined) {
      const operator = this.#access.byToken(bearer, socket.remoteAddress ?? '', Date.now());
      return operator === 'wait' ? undefined : operator;
    }
    const cookie = new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(headers.cookie ?? '')?.[1];
    return cookie === undefined ? undefined : this.#access.byCookie(cookie, Date.now());
  }
}

const JSON_TYPE = { 'content-type': 'application/json' };
const SIGN_IN = { status: 303, headers: { location: '/sign-in' } };

function json(status: number, body: unknown): Answer {
  return { status, headers: JSON_TYPE, body: JSON.stringify(body) };
}

/** A path that is not one asks for nothing that is there. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '\0';
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MOST_BODY) return '';
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
