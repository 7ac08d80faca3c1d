import { parseNameAddr, parseUri, type Target, uriTarget } from '../sip/uri.ts';
import { separate } from './separate.ts';

export interface Destination {
  variables: Map<string, string>;
  /** "sofia/internal/1000@127.0.0.1:5060": how FreeSWITCH names the channel. */
  name: string;
  /** Request URI. */
  uri: string;
  user: string;
  /** From fs_path; else the address in the URI. */
  target: Target | undefined;
  /** fs_path as a Route header field. */
  route: string | undefined;
}

/** Who is called at once, these one after another: "a,b|c" is [[a, b], [c]]. */
export type Alternates = Destination[][];

/**
 * A dial string as bridge and originate take it: {vars}[vars]sofia/profile/user@host,
 * with "," at once, with "|" one after another. What ":_:" parts is called at once,
 * each part by itself (enterprise originate). Endpoints other than sofia are left
 * out: nothing behind them exists in a stand-in.
 */
export function parseDialString(text: string): Alternates[] {
  const { variables: everywhere, rest } = takeVariables(text.trim(), '<', '>');
  return rest.split(':_:').map((part) => {
    const { variables, rest: groups } = takeVariables(part.trim(), '{', '}');
    const shared = new Map([...everywhere, ...variables]);
    const alternates = splitOutside(groups, '|').map((group) =>
      splitOutside(group, ',').flatMap((one) => destination(one, shared)),
    );
    return alternates.filter((group) => group.length > 0);
  });
}

function destination(text: string, shared: Map<string, string>): Destination[] {
  const { variables, rest: endpoint } = takeVariables(text.trim(), '[', ']');
  const [kind, , ...address] = endpoint.split('/');
  if (kind?.toLowerCase() !== 'sofia' || address.length === 0) return [];
  const where = address.join('/');
  const full = /^sips?:/i.test(where) ? where : `sip:${where}`;
  const uri = parseUri(full);
  if (!uri) return [];
  const path = uri.params.get('fs_path');
  const plain = full.replace(/;fs_path=[^;?]*/i, '');
  const via = path === undefined ? undefined : parseNameAddr(decodeURIComponent(path)).uri;
  return [
    {
      variables: new Map([...shared, ...variables]),
      name: endpoint.split(';')[0] ?? endpoint,
      uri: plain,
      user: uri.user ?? '',
      target: uriTarget(via ?? plain),
      route: via === undefined ? undefined : `<${via}>`,
    },
  ];
}

/** Takes "{a=b,c='d,e'}" off the front. */
function takeVariables(
  text: string,
  open: string,
  close: string,
): { variables: Map<string, string>; rest: string } {
  const variables = new Map<string, string>();
  let rest = text;
  while (rest.startsWith(open)) {
    const end = rest.indexOf(close);
    if (end < 0) break;
    let body = rest.slice(1, end);
    rest = rest.slice(end + 1).trim();
    // ^^: makes another character the separator.
    const separator = body.startsWith('^^') ? (body[2] as string) : ',';
    if (body.startsWith('^^')) body = body.slice(3);
    for (const pair of separate(body, separator)) {
      const [name, value] = separate(pair, '=', 2);
      if (name && value !== undefined) variables.set(name, value);
    }
  }
  return { variables, rest };
}

/** Splits at a mark that is not inside brackets. */
function splitOutside(text: string, mark: string): string[] {
  let depth = 0;
  const parts = [''];
  for (const c of text) {
    if (c === '[' || c === '{') depth++;
    if (c === ']' || c === '}') depth--;
    if (c === mark && depth === 0) parts.push('');
    else parts[parts.length - 1] += c;
  }
  return parts.filter((part) => part.trim() !== '');
}
