import { apply } from './applications.ts';
import type { CallLeg } from './call.ts';
import type { Action } from './dialplan.ts';
import type { StandinNode } from './node.ts';
import { Signal } from './signal.ts';

/** Dialplan applications on one leg, one after the other, until the last, the end of the call, or another program. */
export class Program {
  readonly node: StandinNode;
  readonly leg: CallLeg;
  /** The leg ended, or does something else: whatever waits here stops waiting. */
  readonly over = new Signal();
  /** The last application was left. */
  readonly ended = new Signal();
  private left = false;

  constructor(node: StandinNode, leg: CallLeg) {
    this.node = node;
    this.leg = leg;
    leg.channel.onHangup.push(() => this.over.fire());
  }

  /** False once nothing of it may happen any more. */
  get goes(): boolean {
    return !this.left && this.leg.channel.alive;
  }

  leave(): void {
    this.left = true;
    this.over.fire();
  }

  /** All of them; a leg that is still there after the last is hung up, as FreeSWITCH does. */
  async run(actions: readonly Action[]): Promise<void> {
    for (const { application, data } of actions) if (this.goes) await this.execute(application, data);
    this.ended.fire();
    if (this.goes) this.leg.channel.hangup('NORMAL_CLEARING');
  }

  /** One application; resolves when it is done, which for park and echo is the end of the program. */
  async execute(name: string, rawData: string): Promise<void> {
    const { channel } = this.leg;
    const application = channel.execute(name, expand(rawData, channel.variables));
    await apply(this, application);
    if (channel.alive) channel.executed(application);
  }
}

/** Replaces ${name} by the channel variable; "\\$" and "\\\\" are a dollar and a backslash. */
function expand(text: string, variables: Map<string, string>): string {
  return text.replace(/\\([\\$])|\$\{([^}]+)\}/g, (_, escaped?: string, name?: string) =>
    name === undefined ? (escaped ?? '') : (variables.get(name) ?? ''),
  );
}
