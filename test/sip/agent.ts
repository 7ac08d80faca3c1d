import { type Address, call, Dialog, type InviteOptions } from './caller.ts';
import { type Account, authorize } from './credentials.ts';
import type { SipMessage } from './message.ts';
import type { Peer } from './peer.ts';

export const alice: Account = { user: 'alice', realm: 'acme.example', password: 'alices-secret' };
export const bob: Account = { user: 'bob', realm: 'acme.example', password: 'bobs-secret' };
export const dave: Account = { user: 'dave', realm: 'bravo.example', password: 'daves-secret' };

export interface RegisterOptions extends InviteOptions {
  readonly expires?: number;
  /** The whole Contact header's value; none: no Contact at all. */
  readonly contactHeader?: string | undefined;
  /** Address of record, where it is not the account's. */
  readonly aor?: string;
}

/** An agent: an account at a peer that reaches the agents' door. */
export class Agent {
  readonly peer: Peer;
  readonly door: Address;
  readonly account: Account;
  /** The REGISTERs of a device are one dialog (RFC 3261 section 10.2). */
  readonly registrations: Dialog;

  constructor(peer: Peer, door: Address, account: Account) {
    this.peer = peer;
    this.door = door;
    this.account = account;
    this.registrations = this.#dialog(`sip:${account.realm}`);
  }

  /** The same device at another connection, be it another door's: its registrations go on as one dialog. */
  at(peer: Peer, door = this.door): Agent {
    const agent = new Agent(peer, door, this.account);
    const { callId, localTag, cseq } = this.registrations;
    Object.assign(agent.registrations, { callId, localTag, cseq });
    return agent;
  }

  get aor(): string {
    return `sip:${this.account.user}@${this.account.realm}`;
  }

  /** REGISTER without credentials, then with; the last reply. */
  async register(options: RegisterOptions = {}): Promise<SipMessage> {
    const challenge = await this.attempt(options);
    if (challenge.status !== 401) return challenge;
    return this.attempt(options, challenge);
  }

  /** One REGISTER, with credentials when there is a challenge to answer. */
  async attempt(
    options: RegisterOptions = {},
    challenge?: SipMessage,
    nc = 1,
    timeoutMs?: number,
  ): Promise<SipMessage> {
    const dialog = this.registrations;
    dialog.cseq += 1;
    const { expires = 300, aor = this.aor } = options;
    const contact =
      'contactHeader' in options ? options.contactHeader : `<${options.contact ?? this.peer.contact}>`;
    const headers: Array<readonly [string, string]> = [
      ...(challenge
        ? [
            [
              'Authorization',
              authorize(this.account, challenge, 'REGISTER', `sip:${this.account.realm}`, nc),
            ] as const,
          ]
        : []),
      ['Expires', String(expires)],
      ...(options.headers ?? []),
    ];
    const text = dialog
      .request('REGISTER', { headers })
      .replace(/^From: .*$/m, `From: <${aor}>;tag=${dialog.localTag}`)
      .replace(/^To: .*$/m, `To: <${aor}>`)
      .replace(/^Contact: .*\r\n/m, contact === undefined ? '' : `Contact: ${contact}\r\n`);
    this.peer.send(text, this.door);
    return (await dialog.reply('REGISTER', 200, timeoutMs)).message;
  }

  /** A dialog with whoever has this number or name in the agent's tenant. */
  dial(number: string): Dialog {
    return this.#dialog(`sip:${number}@${this.account.realm}`);
  }

  /** INVITE without credentials, then with; the last reply, acknowledged. */
  async call(dialog: Dialog, options: InviteOptions = {}): Promise<SipMessage> {
    const challenge = await call(dialog, options);
    if (challenge.status !== 401) return challenge;
    dialog.cseq += 1;
    return call(dialog, {
      ...options,
      headers: [...(options.headers ?? []), this.credentials(dialog, challenge)],
    });
  }

  credentials(dialog: Dialog, challenge: SipMessage): readonly [string, string] {
    return ['Authorization', authorize(this.account, challenge, 'INVITE', dialog.target)];
  }

  #dialog(to: string): Dialog {
    return new Dialog(this.peer, this.door, { to, from: this.aor });
  }
}
