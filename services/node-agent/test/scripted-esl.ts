import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** What the scripted server answers to a command line; undefined: nothing at all. */
export type Script = (command: string, peer: ScriptedPeer) => string | undefined;

export const reply = (text: string, ...headers: string[]) =>
  `Content-Type: command/reply\nReply-Text: ${text}\n${headers.map((line) => `${line}\n`).join('')}\n`;
export const response = (body: string) =>
  `Content-Type: api/response\nContent-Length: ${Buffer.byteLength(body)}\n\n${body}`;
export function plainEvent(fields: Record<string, string>, body = ''): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${encodeURIComponent(value)}\n`);
  const inner = body ? `Content-Length: ${Buffer.byteLength(body)}\n\n${body}` : '\n';
  const text = lines.join('') + inner;
  return `Content-Length: ${Buffer.byteLength(text)}\nContent-Type: text/event-plain\n\n${text}`;
}

/** The server's end of one connection. */
export class ScriptedPeer {
  readonly commands: string[] = [];
  readonly #socket: Socket;
  #text = '';

  constructor(socket: Socket, script: Script) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#text += chunk.toString();
      for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
        const command = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        this.commands.push(command);
        const answer = script(command, this);
        if (answer !== undefined) this.send(answer);
      }
    });
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A server that speaks as much of the event socket as a test tells it to. */
export class ScriptedEsl {
  readonly peers: ScriptedPeer[] = [];
  readonly #server: Server;
  script: Script;

  private constructor(script: Script) {
    this.script = script;
    this.#server = createServer((socket) => {
      const peer = new ScriptedPeer(socket, (command, from) => this.script(command, from));
      this.peers.push(peer);
      peer.send('Content-Type: auth/request\n\n');
    });
  }

  static async start(script: Script, port = 0): Promise<ScriptedEsl> {
    const esl = new ScriptedEsl(script);
    await new Promise<void>((resolve, reject) => {
      esl.#server.once('error', reject);
      esl.#server.listen(port, '127.0.0.1', resolve);
    });
    return esl;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Every command of every connection, in order. */
  get commands(): string[] {
    return this.peers.flatMap((peer) => peer.commands);
  }

  get peer(): ScriptedPeer {
    return this.peers.at(-1)!;
  }

  async stop(): Promise<void> {
    for (const peer of this.peers) peer.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Accepts the password "secret" and subscriptions; everything else goes to `rest`. */
export function accepting(rest: Script = () => undefined): Script {
  return (command, peer) => {
    if (command.startsWith('auth '))
      return reply(command === 'auth secret' ? '+OK accepted' : '-ERR invalid');
    if (command.startsWith('event ')) return reply('+OK event listener enabled plain');
    return rest(command, peer);
  };
}
