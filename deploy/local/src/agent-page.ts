import { readFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { ROOT } from './paths.ts';

const FOLDER = join(ROOT, 'docs/examples/agent-page');
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.json': 'application/json',
};

/** What the page is told of where it is: config.json beside it. */
export interface PageConfig {
  /** The door's WebSocket. */
  readonly server: string;
}

/** The agents' page on a port of loopback, with JsSIP out of node_modules. */
export class AgentPage {
  readonly #server: Server;
  readonly #jssip: string;
  #config: PageConfig = { server: '' };

  private constructor(jssip: string) {
    this.#jssip = jssip;
    this.#server = createServer((request, response) => {
      void this.#answer(new URL(request.url ?? '/', 'http://page').pathname, response);
    });
  }

  static async open(port = 0): Promise<AgentPage> {
    const page = new AgentPage(await bundled(import.meta.resolve('jssip')));
    await new Promise<void>((resolve, reject) => {
      page.#server.once('error', reject);
      page.#server.listen(port, '127.0.0.1', resolve);
    });
    return page;
  }

  /** Origin of the page, for a tenant's web_origins. */
  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  set config(config: PageConfig) {
    this.#config = config;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(path: string, response: ServerResponse): Promise<void> {
    const file = path === '/' ? 'index.html' : path.slice(1);
    const content = await this.#content(file).catch(() => undefined);
    response.writeHead(content === undefined ? 404 : 200, {
      'content-type': (content !== undefined && TYPES[extname(file)]) || 'text/plain',
      'cache-control': 'no-store',
    });
    response.end(content ?? 'not found\n');
  }

  /** Nothing outside the folder has such a name. */
  async #content(file: string): Promise<string | undefined> {
    if (file === 'config.json') return JSON.stringify(this.#config);
    if (file === 'vendor/jssip.js') return this.#jssip;
    return /^[a-z-]+\.(html|css|js)$/.test(file) ? readFile(join(FOLDER, file), 'utf8') : undefined;
  }
}

/** A package as one module for browsers. */
async function bundled(url: string): Promise<string> {
  const bundle = await rolldown({ input: fileURLToPath(url), platform: 'browser' });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  return output[0].code;
}
