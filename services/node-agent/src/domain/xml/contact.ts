/** A contact as FreeSWITCH keeps it, taken apart. */
export interface KeptContact {
  /** The contact URI as it was registered. */
  readonly contact: string;
  /** URIs of the Path (RFC 3327), outermost first. */
  readonly path: readonly string[];
}

const PATH = ';fs_path=';
const URI = /^sips?:[^\s<>()]+$/;

/**
 * Takes apart `"" <sip:alice@10.0.0.1;transport=ws;fs_path=<sip:edge;lr>>`, also with
 * the path percent-encoded and without the name. Undefined for what is no contact, such
 * as what FreeSWITCH makes of "*".
 */
export function keptContact(text: string): KeptContact | undefined {
  const address = text.replace(/^\s*"[^"]*"\s*/, '');
  const uri = address.startsWith('<') ? address.slice(1, address.lastIndexOf('>')) : address;
  const bare = uri.replace(/^.*?(?=sips?:)/, '');
  const at = bare.indexOf(PATH);
  const contact = at < 0 ? bare : bare.slice(0, at);
  const path = at < 0 ? [] : pathOf(bare.slice(at + PATH.length));
  return [contact, ...path].every((one) => URI.test(one)) ? { contact, path } : undefined;
}

/** Encoded once or not at all: a hop may have escapes of its own. */
function pathOf(text: string): string[] {
  const hops = text.includes('<') ? text : decoded(text);
  return hops.replace(/^<|>$/g, '').split(/>\s*,\s*</);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
