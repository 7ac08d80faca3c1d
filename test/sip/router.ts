import type { RemoteInfo } from 'node:dgram';
import { type Address, Dialog } from './caller.ts';
import { header, replyTo, type SipMessage, uriOf } from './message.ts';
import { type NodeBehaviour, nodeTag } from './node.ts';
import { SipPeer } from './peer.ts';

/** A contact as an fs-router keeps it. */
export interface Binding {
  readonly aor: string;
  readonly contact: string;
  readonly path: string;
  readonly expires: number;
  readonly request: SipMessage;
}

/** An fs-router as the agents' door sees it: keeps registrations, takes calls, and calls agents along their Path. */
export class Router {
  readonly peer: SipPeer;
  /** Live ones, newest last. */
  bindings: Binding[] = [];
  /** What happens before the next REGISTER is answered. */
  beforeRegister: (() => Promise<void>) | undefined;
  /** Status it answers REGISTER with; 0 says nothing at all. */
  registerStatus = 200;
  readonly #behaviour: NodeBehaviour;

  private constructor(peer: SipPeer, behaviour: NodeBehaviour) {
    this.peer = peer;
    this.#behaviour = behaviour;
    peer.handler = (message, from) => this.#answer(message, from);
  }

  static async open(behaviour: NodeBehaviour = {}): Promise<Router> {
    return new Router(await SipPeer.open('127.0.0.1'), behaviour);
  }

  get key(): string {
    return this.peer.key;
  }

  /** A call to a registered contact; its INVITE is not sent yet. */
  dialogTo(binding: Binding, edge: Address): Dialog {
    const dialog = new Dialog(this.peer, edge, {
      to: binding.contact,
      from: 'sip:4930123456@acme.example',
    });
    dialog.routes = [binding.path];
    return dialog;
  }

  #answer(message: SipMessage, from: RemoteInfo): void {
    const { status = 200, ringOnly = false } = this.#behaviour;
    if (!message.method || message.method === 'ACK') return;
    if (message.method === 'REGISTER') {
      const before = this.beforeRegister;
      this.beforeRegister = undefined;
      void (before?.() ?? Promise.resolve()).then(() => this.#register(message, from));
      return;
    }
    const options = { toTag: nodeTag, contact: `sip:node@${this.key}` };
    const say = (code: number, reason: string) =>
      this.peer.send(replyTo(message, code, reason, options), from);
    if (message.method !== 'INVITE') say(200, 'OK');
    else if (ringOnly) say(180, 'Ringing');
    else if (status > 0) say(status, status < 300 ? 'OK' : 'No');
  }

  #register(message: SipMessage, from: RemoteInfo): void {
    if (this.registerStatus === 0) return;
    const aor = uriOf(header(message, 'To')).replace('sip:', '');
    const [contact, path] = [uriOf(header(message, 'Contact')), header(message, 'Path')];
    const expires = Number(header(message, 'Expires'));
    if (this.registerStatus === 200) {
      this.bindings = this.bindings.filter((b) => b.aor !== aor || b.contact !== contact || b.path !== path);
      if (expires > 0 && contact) this.bindings.push({ aor, contact, path, expires, request: message });
    }
    const headers: Array<readonly [string, string]> = [['Path', path]];
    if (contact) headers.push(['Contact', `<${contact}>;expires=${expires}`]);
    const reason = this.registerStatus === 200 ? 'OK' : 'No';
    this.peer.send(replyTo(message, this.registerStatus, reason, { toTag: nodeTag, headers }), from);
  }
}
