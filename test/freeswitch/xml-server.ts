import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What FreeSWITCH asks: section, and the fields it posts. */
export interface Question {
  readonly section: string;
  readonly authorization: string;
  readonly fields: URLSearchParams;
}

/** A whole section's document; undefined: nobody knows. */
export type Answer = (question: Question) => string | undefined;

const NOT_FOUND =
  '<document type="freeswitch/xml"><section name="result"><result status="not found"/></section></document>';

/** A document with one section. */
export function section(name: string, content: string): string {
  return `<?xml version="1.0"?>\n<document type="freeswitch/xml"><section name="${name}">${content}</section></document>`;
}

/** A dialplan in which every call of a context does these, each "app" or "app(data)". */
export function dialplan(
  context: string,
  ...actions: readonly (readonly [app: string, data?: string])[]
): string {
  const lines = actions.map(
    ([app, data]) => `<action application="${app}"${data === undefined ? '' : ` data="${escaped(data)}"`}/>`,
  );
  const extension = `<extension name="all"><condition>${lines.join('')}</condition></extension>`;
  return section('dialplan', `<context name="${context}">${extension}</context>`);
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** Plays the node-agent towards FreeSWITCH's mod_xml_curl. */
export class XmlServer {
  readonly questions: Question[] = [];
  readonly #server: Server;
  answer: Answer = () => undefined;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const question = {
        section: request.url?.split('/').at(-1) ?? '',
        authorization: request.headers.authorization ?? '',
        fields: new URLSearchParams(await text(request)),
      };
      this.questions.push(question);
      response.setHeader('content-type', 'text/xml');
      response.end(this.answer(question) ?? NOT_FOUND);
    });
  }

  static async start(port = 0): Promise<XmlServer> {
    const xml = new XmlServer();
    await new Promise<void>((resolve, reject) => {
      xml.#server.once('error', reject);
      xml.#server.listen(port, '127.0.0.1', resolve);
    });
    return xml;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Questions about one section, oldest first. */
  about(name: string): Question[] {
    return this.questions.filter(({ section: asked }) => asked === name);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
