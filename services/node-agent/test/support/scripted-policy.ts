import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What a policy instance does with a question; nothing done is an answer that never comes. */
export type Behaviour = (response: ServerResponse, asked: Asked) => void;

export interface Asked {
  readonly path: string;
  readonly authorization: string;
  readonly body: string;
}

/** A document, as policy answers it. */
export function answering(document: string, headers: Record<string, string> = {}): Behaviour {
  return (response) => response.writeHead(200, { 'content-type': 'text/xml', ...headers }).end(document);
}
export const silent: Behaviour = () => {};
export const failing =
  (status: number): Behaviour =>
  (response) =>
    response.writeHead(status).end('<document/>');

/** One instance of policy that does as it is told. */
export class ScriptedPolicy {
  readonly asked: Asked[] = [];
  readonly #server: Server;
  behaviour: Behaviour;

  private constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
    this.#server = createServer(async (request, response) => {
      const asked = {
        path: request.url ?? '',
        authorization: request.headers.authorization ?? '',
        body: await text(request),
      };
      this.asked.push(asked);
      this.behaviour(response, asked);
    });
  }

  static async start(behaviour: Behaviour, port = 0): Promise<ScriptedPolicy> {
    const policy = new ScriptedPolicy(behaviour);
    await new Promise<void>((resolve, reject) => {
      policy.#server.once('error', reject);
      policy.#server.listen(port, '127.0.0.1', resolve);
    });
    return policy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.address}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
