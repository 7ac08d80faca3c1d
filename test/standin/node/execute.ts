import type { CallLeg } from './call.ts';
import { parseCause } from './causes.ts';
import { type Action, findActions } from './dialplan.ts';
import type { StandinNode } from './node.ts';

/** Runs what the dialplan says for a call that came in: the built-in one, or what mod_xml_curl's URL answers. */
export async function executeInbound(node: StandinNode, leg: CallLeg): Promise<void> {
  const { channel } = leg;
  const actions = await findActions(node, leg);
  if (!channel.alive) return;
  if (!actions || actions.length === 0) {
    channel.hangup('NO_ROUTE_DESTINATION');
    return;
  }
  channel.enter('CS_EXECUTE');
  await new Executor(node, leg).runAll(actions);
}

/** Runs dialplan applications on one leg, one after the other. */
export class Executor {
  private readonly node: StandinNode;
  private readonly leg: CallLeg;

  constructor(node: StandinNode, leg: CallLeg) {
    this.node = node;
    this.leg = leg;
  }

  /** All of them; a leg still there after the last is hung up, as FreeSWITCH does. */
  async runAll(actions: Action[]): Promise<void> {
    const { channel } = this.leg;
    for (const { application, data } of actions) {
      if (!channel.alive) return;
      await this.run(application, data);
    }
    if (channel.alive) channel.hangup('NORMAL_CLEARING');
  }

  /** One application; resolves when it is done, which for park and echo is the end of the call. */
  async run(application: string, rawData: string): Promise<void> {
    const { channel } = this.leg;
    const data = expand(rawData, channel.variables);
    channel.execute(application, data);
    await this.apply(application, data);
    if (!channel.alive) return;
    channel.executed();
    channel.application = { name: '', data: '' };
  }

  private async apply(application: string, data: string): Promise<void> {
    const { channel } = this.leg;
    switch (application) {
      case 'answer':
        return this.answer();
      case 'ring_ready':
        return this.leg.ring();
      case 'pre_answer':
        return this.leg.earlyMedia();
      case 'set':
      case 'export':
        return this.set(data);
      case 'unset':
        channel.variables.delete(data);
        return;
      case 'multiset':
        for (const pair of data.split(' ')) this.set(pair);
        return;
      case 'sleep':
        return this.wait(Number(data) || 0);
      case 'hangup':
        return channel.hangup(parseCause(data));
      case 'respond':
        return channel.hangup('NORMAL_CLEARING', { status: Number.parseInt(data, 10) || 480 });
      case 'bridge':
        return this.bridge(data);
      case 'park':
        channel.fire('CHANNEL_PARK');
        return this.untilHangup();
      case 'echo':
      case 'conference':
      case 'playback':
      case 'endless_playback':
      case 'hold':
        await this.answer();
        return this.untilHangup();
      case 'log':
      case 'info':
      case 'event':
      case 'sched_hangup':
      case 'limit':
      case 'hash':
      case 'record_session':
      case 'start_dtmf':
        return;
      default:
        // FreeSWITCH: "Invalid Application".
        return channel.hangup('DESTINATION_OUT_OF_ORDER');
    }
  }

  private async answer(): Promise<void> {
    const { settings } = this.node;
    const { channel } = this.leg;
    if (channel.answered) return;
    if (settings.ringing) this.leg.ring();
    if (settings.answerDelayMs > 0) await this.wait(settings.answerDelayMs);
    this.leg.answer();
    if (settings.hangupAfterMs > 0 && channel.alive) {
      const timer = setTimeout(() => channel.hangup('NORMAL_CLEARING'), settings.hangupAfterMs);
      channel.onHangup.push(() => clearTimeout(timer));
    }
  }

  private set(data: string): void {
    const equals = data.indexOf('=');
    if (equals > 0)
      this.leg.channel.set(data.slice(0, equals).replace(/^nolocal:/, ''), data.slice(equals + 1));
  }

  /** Ends early when the call does. */
  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.leg.channel.onHangup.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private untilHangup(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.leg.channel.alive) resolve();
      else this.leg.channel.onHangup.push(() => resolve());
    });
  }

  private async bridge(dialString: string): Promise<void> {
    const { channel } = this.leg;
    const result = await this.node.originator.dial(dialString, { caller: this.leg });
    channel.set('originate_disposition', result.leg ? 'SUCCESS' : result.cause);
    if (!result.leg) {
      if (channel.alive && channel.variables.get('continue_on_fail') !== 'true') channel.hangup(result.cause);
      return;
    }
    const far = result.leg.channel;
    if (!channel.alive) {
      far.hangup('ORIGINATOR_CANCEL');
      return;
    }
    this.leg.answer();
    if (!channel.alive) {
      far.hangup('INCOMPATIBLE_DESTINATION');
      return;
    }
    channel.bridge(far);
    await new Promise<void>((resolve) => far.onHangup.push(() => resolve()));
    if (channel.alive && channel.variables.get('hangup_after_bridge') === 'true')
      channel.hangup(far.cause ?? 'NORMAL_CLEARING');
  }
}

/** Replaces ${name} by the channel variable. */
function expand(text: string, variables: Map<string, string>): string {
  return text.replace(/\$\{([^}]+)\}/g, (_, name: string) => variables.get(name) ?? '');
}
