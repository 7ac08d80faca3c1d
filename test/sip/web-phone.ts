import { parseMessage } from '../standin/sip/parse.ts';
import { Agent } from './agent.ts';
import type { Account } from './credentials.ts';
import { methodOf } from './message.ts';
import { Phone, type PhoneCall } from './phone.ts';
import { page, WebPeer } from './web-peer.ts';

/** Where an agents' door is: for WebSockets, and as "ip:port". */
interface Door {
  readonly ws: string;
  readonly sip: string;
}

/** A telephone that speaks SIP over WebSocket, and plain RTP: an agent at a door without a media relay. */
export class WebPhone {
  readonly phone: Phone;
  readonly account: Account;
  peer!: WebPeer;
  agent!: Agent;

  private constructor(phone: Phone, account: Account) {
    this.phone = phone;
    this.account = account;
    phone.agent.endpoint.transport.send = (text) => this.#send(text);
  }

  static async open(account: Account, tone: number, door: Door): Promise<WebPhone> {
    const phone = new WebPhone(await Phone.open(account.user, tone), account);
    await phone.connect(door);
    return phone;
  }

  /** Opens a socket, at whatever door, and registers: the same device as before. */
  async connect({ ws, sip }: Door): Promise<void> {
    const before = this.peer as WebPeer | undefined;
    const peer = await WebPeer.open(ws, { origin: page });
    if (before) peer.contact = before.contact;
    const [address = '', port = ''] = sip.split(':');
    const place = { address, port: Number(port) };
    this.agent = before ? this.agent.at(peer, place) : new Agent(peer, place, this.account);
    this.peer = peer;
    peer.handler = (message) => {
      if (methodOf(message) === 'REGISTER') return;
      const parsed = parseMessage(message.raw);
      if (parsed) this.#transport.onMessage(parsed, { transport: 'udp', host: address, port: place.port });
    };
    const { status } = await this.agent.register();
    if (status !== 200) throw new Error(`${this.account.user} is not let in: ${status}`);
  }

  /** Calls somebody of its own domain, with its credentials. */
  call(to: string): Promise<PhoneCall> {
    const { user, realm, password } = this.account;
    const { address, port } = this.agent.door;
    return this.phone.call({
      proxy: `${address}:${port}`,
      to: `sip:${to}@${realm}`,
      from: `sip:${user}@${realm}`,
      credentials: { username: user, password },
    });
  }

  /** The network is gone, without a word. */
  drop(): void {
    this.peer.drop();
  }

  close(): void {
    this.phone.close();
    this.peer.drop();
  }

  get #transport() {
    return this.phone.agent.endpoint.transport;
  }

  /** A browser knows no address of its own: it names none (RFC 7118 section 5). */
  #send(text: string): void {
    const { host, port, user } = this.phone.agent;
    if (this.peer.closed) return;
    this.peer.send(
      text
        .replace(`SIP/2.0/UDP ${host}:${port}`, `SIP/2.0/${this.peer.via}`)
        .replaceAll(`sip:${user}@${host}:${port}`, this.peer.contact),
    );
  }
}
