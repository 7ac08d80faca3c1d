import type { StandinNode } from '../node/node.ts';

const USAGE =
  '-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n';

/**
 * `originate <dial string> &app(args)` or `<dial string> <extension>`: answers
 * when the far end has answered or failed. An extension is parked: a stand-in has
 * no dialplan of its own for calls it made.
 */
export async function originate(node: StandinNode, argument: string): Promise<string> {
  const words = splitWords(argument);
  const [dialString, target, , , callerName, callerNumber, timeout] = words;
  if (!dialString || !target) return USAGE;
  const result = await node.originator.dial(dialString, {
    ...(callerName ? { callerName } : {}),
    ...(callerNumber ? { callerNumber } : {}),
    ...(timeout ? { timeoutS: Number(timeout) } : {}),
  });
  if (!result.leg) return `-ERR ${result.cause}\n`;
  const application = /^&(\w+)(?:\((.*)\))?$/s.exec(target);
  const actions = application
    ? [{ application: application[1] as string, data: application[2] ?? '' }]
    : [{ application: 'park', data: '' }];
  void node.originator.executor(result.leg).runAll(actions);
  return `+OK ${result.leg.channel.uuid}\n`;
}

/** Splits at blanks that are not inside {}, [], () or ''. */
function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let depth = 0;
  let quoted = false;
  for (const c of text) {
    if (c === "'" && depth === 0) quoted = !quoted;
    else if ('{[('.includes(c)) depth++;
    else if (')]}'.includes(c)) depth--;
    if (c === ' ' && depth === 0 && !quoted) {
      if (word) words.push(word);
      word = '';
    } else word += c;
  }
  if (word) words.push(word);
  return words.map((part) => part.replace(/^'(.*)'$/s, '$1'));
}
