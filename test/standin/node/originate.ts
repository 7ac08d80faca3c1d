import type { OutgoingSession } from '../sip/outgoing.ts';
import type { CallLeg } from './call.ts';
import type { Channel } from './channel.ts';
import { type Alternates, type Destination, parseDialString } from './dialstring.ts';
import type { StandinNode } from './node.ts';
import { type Calling, outgoingLeg } from './outgoing-leg.ts';
import { RtpPort } from './rtp.ts';
import { Signal } from './signal.ts';

export interface DialOptions extends Omit<Calling, 'enterprise'> {
  /** Gives up when this happens. */
  readonly until?: Signal;
  readonly timeoutS?: number;
}

export type DialResult =
  | { leg: CallLeg; cause: 'SUCCESS' }
  /** `status` is what the far end answered, when it did. */
  | { leg: undefined; cause: string; status?: number };

/** One attempt to call somebody: what it is part of, and when it is too late. */
interface Attempt extends DialOptions, Calling {
  /** Somebody else answered. */
  readonly lost: Signal;
}

/** Calls out. */
export class Originator {
  private readonly node: StandinNode;

  constructor(node: StandinNode) {
    this.node = node;
  }

  /** Calls whom a dial string names; resolves with the first leg that answers, or the last cause. */
  async dial(dialString: string, options: DialOptions = {}): Promise<DialResult> {
    const parts = parseDialString(dialString);
    const attempt = { ...options, enterprise: parts.length > 1, lost: new Signal() };
    return this.race(
      parts.map((alternates) => () => this.inTurn(alternates, attempt)),
      attempt.lost,
    );
  }

  /** One group after another, until somebody answers or it is too late. */
  private async inTurn(groups: Alternates, attempt: Attempt): Promise<DialResult> {
    let result: DialResult = { leg: undefined, cause: 'DESTINATION_OUT_OF_ORDER' };
    for (const group of groups) {
      const lost = new Signal();
      const off = attempt.lost.on(() => lost.fire());
      const calls = group.map((destination) => () => this.try(destination, { ...attempt, lost }));
      result = await this.race(calls, lost);
      off();
      if (result.leg || attempt.lost.happened || givenUp(attempt)) return result;
      if (endsAll(result.cause, group[0]?.variables.get('fail_on_single_reject'))) return result;
    }
    return result;
  }

  /** All at once; the first answer ends the others. */
  private async race(calls: (() => Promise<DialResult>)[], lost: Signal): Promise<DialResult> {
    let first: DialResult | undefined;
    let last: DialResult = { leg: undefined, cause: 'DESTINATION_OUT_OF_ORDER' };
    await Promise.all(
      calls.map(async (call) => {
        const result = await call();
        last = result;
        if (!result.leg) return;
        if (first) result.leg.channel.hangup('LOSE_RACE');
        first ??= result;
        lost.fire();
      }),
    );
    return first ?? last;
  }

  private async try(destination: Destination, attempt: Attempt): Promise<DialResult> {
    const { node } = this;
    if (node.settings.pausedOutbound || node.full || !destination.target) {
      return { leg: undefined, cause: 'DESTINATION_OUT_OF_ORDER' };
    }
    const rtp = await RtpPort.open(node.settings.rtp, node.agent.host);
    const leg = outgoingLeg(node, destination, attempt, rtp);
    node.adopt(leg);
    leg.channel.announce();
    const { channel } = leg;
    const { seconds, cause } = limit(channel, attempt);
    const timer = setTimeout(() => channel.hangup(cause), seconds * 1000);
    return new Promise((resolve) => {
      channel.onHangup.push((cause) => {
        clearTimeout(timer);
        const status = Number(channel.variables.get('sip_invite_failure_status'));
        resolve({ leg: undefined, cause, ...(status && { status }) });
      });
      leg.session.handlers.established = (response) => {
        clearTimeout(timer);
        leg.media.remote(response.body);
        channel.answer();
        resolve({ leg, cause: 'SUCCESS' });
      };
      attempt.lost.on(() => !channel.answered && channel.hangup('LOSE_RACE'));
      attempt.until?.on(() => !channel.answered && channel.hangup('ORIGINATOR_CANCEL'));
      if (channel.alive) (leg.session as OutgoingSession).start();
    });
  }
}

function givenUp({ until, caller }: Attempt): boolean {
  return until?.happened === true || caller?.channel.alive === false;
}

/** Whether a cause ends the whole attempt: "true", causes that do, or "!" and those that do not. */
function endsAll(cause: string, wanted = ''): boolean {
  if (wanted === '' || wanted === 'true') return wanted === 'true';
  return wanted.includes(cause) !== wanted.startsWith('!');
}

/** How long a leg may ring, and the cause then: its own limit, else the one of whoever calls. */
function limit({ variables }: Channel, attempt: Attempt): { seconds: number; cause: string } {
  const leg = variables.get('leg_timeout');
  if (leg !== undefined) return { seconds: Number(leg), cause: 'ALLOTTED_TIMEOUT' };
  const caller = attempt.caller?.channel.variables;
  const all = variables.get('originate_timeout') ?? caller?.get('call_timeout') ?? attempt.timeoutS;
  return { seconds: Number(all ?? 60), cause: 'NO_ANSWER' };
}
