/** A contact as FreeSWITCH keeps it, taken apart. */
export interface KeptContact {
  /** The contact URI as it was registered. */
  readonly contact: string;
  /** URIs of the Path (RFC 3327), outermost first. */
  readonly path: readonly string[];
}

const PATH = ';fs_path=';

/**
 * Takes apart `"" <sip:alice@10.0.0.1;transport=ws;fs_path=<sip:edge;lr>>`, also with
 * the path percent-encoded and without the name. Undefined for what is no contact, such
 * as what FreeSWITCH makes of "*".
 */
export function keptContact(text: string): KeptContact | undefined {
  const uri = text.includes('<') ? text.slice(text.indexOf('<') + 1, text.lastIndexOf('>')) : text;
  const bare = uri.replace(/^.*?(?=sips?:)/, '');
  const at = bare.indexOf(PATH);
  const contact = at < 0 ? bare : bare.slice(0, at);
  if (!/^sips?:[^\s<>()]+$/.test(contact)) return undefined;
  return { contact, path: at < 0 ? [] : pathOf(bare.slice(at + PATH.length)) };
}

function pathOf(text: string): string[] {
  const hops = decoded(text).match(/sips?:[^\s<>,]+/g);
  return hops ?? [];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
