// How FreeSWITCH takes text apart, read from its source (switch_utils.c, switch_channel.c, switch_event.c, mod_dptools)
// and written down once more: what a rendered line is checked against.

const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', s: ' ' };

/** Quotes, escapes, and spaces at the ends are taken off; with a delimiter, its escape as well. */
function cleaned(text: string, delimiter: string): string {
  let out = '';
  let kept = 0;
  let quoted = false;
  const start = text.search(/[^ ]|$/);
  for (let at = start; at < text.length; at++) {
    const next = text[at + 1] ?? '';
    if (text[at] === '\\' && (`'"\\${delimiter}`.includes(next) || next in ESCAPED) && next !== '') {
      out += ESCAPED[next] ?? next;
      at += 1;
      kept = out.length;
    } else if (text[at] === "'" && (quoted || text.includes("'", at + 1))) {
      quoted = !quoted;
      if (quoted) kept = out.length;
    } else {
      out += text[at];
      if (text[at] !== ' ' || quoted) kept = out.length;
    }
  }
  return out.slice(0, kept);
}

/** switch_separate_string, with a delimiter that is not a space. */
export function separate(text: string, delimiter: string, most = Number.POSITIVE_INFINITY): string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  let at = 0;
  for (; at < text.length && parts.length + 1 < most; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === "'" && (quoted || text.includes("'", at + 1))) quoted = !quoted;
    else if (text[at] === delimiter && !quoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  // What follows the last delimiter counts when there is anything.
  if (from < text.length) parts.push(text.slice(from));
  return parts.map((part) => cleaned(part, delimiter));
}

/** switch_separate_string at spaces: an API command's words. */
export function words(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '\\') {
      part += char + (text[at + 1] ?? '');
      at += 1;
    } else if (char === ' ' && !quoted) {
      if (part !== '') parts.push(part);
      part = '';
    } else {
      if (char === "'") quoted = !quoted;
      part += char;
    }
  }
  if (part !== '') parts.push(part);
  return parts.map((one) => cleaned(one, ''));
}

/** switch_channel_expand_variables; a variable's name is asked for by `value`. */
export function expanded(text: string, value: (name: string) => string): string {
  if (!/\$\\*\{/.test(text) && !/\\[\\nst']/.test(text)) return text;
  let out = '';
  for (let at = 0; at < text.length; at++) {
    const next = text[at + 1];
    if (text[at] === '\\' && next === '$') {
      at += text[at + 2] === '$' ? 2 : 1;
      out += '$';
    } else if (text[at] === '\\' && next === "'") at += 1;
    else if (text[at] === '\\' && next === '\\') {
      out += '\\';
      at += 1;
    } else if (text[at] === '$' && next === '{') {
      const end = text.indexOf('}', at);
      out += value(text.slice(at + 2, end < 0 ? undefined : end));
      at = end < 0 ? text.length : end;
    } else if (text[at] === '$' && next === '$' && text[at + 2] === '{') {
      at += 0;
    } else if (text[at] === '$' && next === '$') {
      out += '$';
      at += 1;
    } else out += text[at];
  }
  return out;
}

export interface Executed {
  readonly name: string;
  readonly arg: string | undefined;
}

/** The dialplan `inline`, and what its applications are given. */
export function executed(destination: string, value: (name: string) => string): Executed[] {
  const mark = /^m:(.):/s.exec(destination);
  const list = separate(mark ? destination.slice(4) : destination, mark?.[1] ?? ',', 128);
  return list.map((app) => {
    const colon = app.indexOf(':');
    if (colon < 0) return { name: app.trimStart(), arg: undefined };
    return { name: app.slice(0, colon).trimStart(), arg: expanded(app.slice(colon + 1), value) };
  });
}

/** `{a=b,...}` and what follows it; `open` and `close` count, whatever is escaped. */
export function brackets(
  text: string,
  open: string,
  close: string,
): { variables: Map<string, string>; rest: string } {
  const variables = new Map<string, string>();
  if (!text.startsWith(open)) return { variables, rest: text };
  let depth = 0;
  let end = 0;
  for (; end < text.length; end++) {
    if (text[end] === open) depth += 1;
    if (text[end] === close) depth -= 1;
    if (depth === 0) break;
  }
  for (const pair of separate(text.slice(1, end), ',')) {
    const [name, ...more] = separate(pair, '=', 2);
    if (name !== undefined && more.length === 1) variables.set(name, more[0]!);
  }
  return { variables, rest: text.slice(end + 1) };
}

export interface DialledLeg {
  readonly variables: Map<string, string>;
  /** Ways, one after another, each with its own variables. */
  readonly ways: readonly { readonly variables: Map<string, string>; readonly to: string }[];
}

/** A dial string: legs at once, and the ways of each. */
export function dialled(text: string): DialledLeg[] {
  return text.split(':_:').map((leg) => {
    const { variables, rest } = brackets(leg, '{', '}');
    const ways = separate(rest, '|').map((way) => {
      const own = brackets(way, '[', ']');
      return { variables: own.variables, to: own.rest };
    });
    return { variables, ways };
  });
}

/** What `speak` is given. */
export function spoken(arg: string): { engine: string; voice: string; text: string } {
  const [engine = '', voice = ''] = separate(arg, '|', 3);
  return { engine, voice, text: arg.split('|').slice(2).join('|') };
}

/** `set`: the value is expanded once more. */
export function set(arg: string, value: (name: string) => string): [string, string] {
  const equals = arg.indexOf('=');
  return [arg.slice(0, equals), expanded(arg.slice(equals + 1), value)];
}
