import { connect, type Socket } from 'node:net';

export interface EslMessage {
  raw: string;
  headers: Map<string, string>;
  body: string;
}

export interface ReadEvent {
  name: string;
  fields: Map<string, string>;
  body: string;
}

/** As little of an ESL client as the stand-in's own tests need. */
export class EslClient {
  readonly closed: Promise<void>;
  private readonly socket: Socket;
  private pending = Buffer.alloc(0);
  private readonly messages: EslMessage[] = [];
  private waiting: ((message: EslMessage) => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.received(chunk));
  }

  static async open(address: string, password?: string): Promise<EslClient> {
    const [host, port] = address.split(':');
    const client = new EslClient(connect(Number(port), host));
    await client.message();
    if (password !== undefined) await client.command(`auth ${password}`);
    return client;
  }

  write(text: string): void {
    this.socket.write(text);
  }

  close(): void {
    this.socket.destroy();
  }

  message(): Promise<EslMessage> {
    const next = this.messages.shift();
    return next ? Promise.resolve(next) : new Promise((resolve) => this.waiting.push(resolve));
  }

  async command(line: string): Promise<EslMessage> {
    this.write(`${line}\n\n`);
    return this.message();
  }

  /** The body of an api answer; events that come before it are skipped. */
  async api(line: string): Promise<string> {
    this.write(`api ${line}\n\n`);
    for (;;) {
      const { headers, body } = await this.message();
      if (headers.get('content-type') === 'api/response') return body;
    }
  }

  /** Plain events up to and including the first of this name. */
  async events(last: string): Promise<ReadEvent[]> {
    const events: ReadEvent[] = [];
    while (events.at(-1)?.name !== last) events.push(await this.event());
    return events;
  }

  /** The next event. */
  async event(): Promise<ReadEvent> {
    const { body } = await this.message();
    const end = body.indexOf('\n\n');
    const fields = new Map<string, string>();
    for (const line of (end < 0 ? body : body.slice(0, end)).split('\n')) {
      const [name, value] = line.split(/: (.*)/s);
      if (name && value !== undefined) fields.set(name, decodeURIComponent(value));
    }
    return { name: fields.get('Event-Name') ?? '', fields, body: end < 0 ? '' : body.slice(end + 2) };
  }

  private received(chunk: Buffer): void {
    this.pending = Buffer.concat([this.pending, chunk]);
    for (;;) {
      const end = this.pending.indexOf('\n\n');
      if (end < 0) return;
      const head = this.pending.toString('utf8', 0, end);
      const headers = new Map(
        head.split('\n').map((line): [string, string] => {
          const [name = '', value = ''] = line.split(/: (.*)/s);
          return [name.toLowerCase(), value];
        }),
      );
      const total = end + 2 + Number(headers.get('content-length') ?? 0);
      if (this.pending.length < total) return;
      const raw = this.pending.toString('utf8', 0, total);
      const body = this.pending.toString('utf8', end + 2, total);
      this.pending = this.pending.subarray(total);
      const message = { raw, headers, body };
      const taker = this.waiting.shift();
      if (taker) taker(message);
      else this.messages.push(message);
    }
  }
}
