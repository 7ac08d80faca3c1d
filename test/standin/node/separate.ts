const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', s: ' ' };

/**
 * Cuts a text at a mark as FreeSWITCH does wherever it takes several values in
 * one: not inside '...', not after "\"; quotes and backslashes are gone from the
 * parts, blanks from their ends. The last of `most` parts is all that is left.
 */
export function separate(text: string, mark: string, most = Number.POSITIVE_INFINITY): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (c === '\\') at++;
    else if (c === "'" && (quoted || mark === ' ' || text.includes("'", at + 1))) quoted = !quoted;
    else if (c === mark && !quoted && parts.length < most - 1) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  if (start < text.length) parts.push(text.slice(start));
  const kept = mark === ' ' ? parts.filter((part) => part !== '') : parts;
  return kept.map((part) => clean(part, mark));
}

/** One part without its quotes, escapes and outer blanks. */
function clean(part: string, mark: string): string {
  let out = '';
  let quoted = false;
  // Blanks that were quoted or escaped are part of the value.
  let kept = 0;
  const text = part.replace(/^ +/, '');
  for (let at = 0; at < text.length; at++) {
    const c = text[at] as string;
    const next = text[at + 1] ?? '';
    const escaped = c === '\\' && next !== '' && (`'"\\${mark.trim()}`.includes(next) || next in ESCAPES);
    if (escaped) {
      out += ESCAPES[next] ?? next;
      at++;
      kept = out.length;
    } else if (c === "'" && (quoted || text.includes("'", at + 1))) {
      quoted = !quoted;
      if (quoted) kept = out.length;
    } else {
      out += c;
      if (c !== ' ' || quoted) kept = out.length;
    }
  }
  return out.slice(0, kept);
}
