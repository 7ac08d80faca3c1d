import type { CallLeg } from './call.ts';
import { inlineActions } from './inline.ts';
import { separate } from './separate.ts';
import { Signal } from './signal.ts';

/**
 * Connects two answered legs; resolves when the bridge is over: one of them ended
 * or was taken elsewhere, or `until`. The called one goes by its own variables then.
 */
export async function connect(a: CallLeg, b: CallLeg, until: Signal): Promise<void> {
  const over = new Signal();
  until.on(() => over.fire());
  a.channel.onAlone = () => over.fire();
  b.channel.onAlone = () => goesOn(b) || b.channel.hangup('NORMAL_CLEARING');
  a.channel.bridge(b.channel);
  await over.wait();
}

/** Does what a leg's variables ask for once its bridge is over; false when they ask for nothing. */
export function goesOn(leg: CallLeg): boolean {
  const { variables } = leg.channel;
  const transfer = variables.get('transfer_after_bridge');
  if (variables.get('park_after_bridge') === 'true') {
    void leg.begin([{ application: 'park', data: '' }]);
    return true;
  }
  if (transfer === undefined) return false;
  variables.delete('transfer_after_bridge');
  const [extension = '', dialplan] = separate(transfer, ':');
  void leg.begin(dialplan === 'inline' ? inlineActions(extension) : [{ application: 'park', data: '' }]);
  return true;
}
