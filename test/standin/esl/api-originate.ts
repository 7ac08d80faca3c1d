import type { Action } from '../node/dialplan.ts';
import { inlineActions } from '../node/inline.ts';
import type { StandinNode } from '../node/node.ts';
import { separate } from '../node/separate.ts';

const USAGE =
  '-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n';

/**
 * `originate <dial string> &app(args)` or `<dial string> <extension> inline`: answers
 * when the far end has answered or failed. Another extension is parked: a stand-in
 * has no dialplan of its own for calls it made.
 */
export async function originate(node: StandinNode, argument: string): Promise<string> {
  const words = separate(argument, ' ').map((word) => (word === 'undef' ? '' : word));
  const [dialString, target, dialplan, , callerName, callerNumber, timeout] = words;
  if (!dialString || !target) return USAGE;
  const result = await node.originator.dial(dialString, {
    ...(callerName ? { callerName } : {}),
    ...(callerNumber ? { callerNumber } : {}),
    ...(timeout ? { timeoutS: Number(timeout) } : {}),
  });
  if (!result.leg) return `-ERR ${result.cause}\n`;
  void result.leg.begin(actionsOf(target, dialplan));
  return `+OK ${result.leg.channel.uuid}\n`;
}

function actionsOf(target: string, dialplan: string | undefined): Action[] {
  if (dialplan === 'inline') return inlineActions(target);
  const application = /^&(\w+)(?:\((.*)\))?$/s.exec(target);
  const [, name = 'park', data = ''] = application ?? [];
  return [{ application: name, data }];
}
