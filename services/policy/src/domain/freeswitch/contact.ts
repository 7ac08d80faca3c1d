import type { Contact } from '../model.ts';
import { userPart } from './dial-string.ts';

const HOST = String.raw`[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]`;
/** Parameters as browsers and phones write them; who needs more than tokens is not reached. */
const PARAMETERS = '(?:;[A-Za-z0-9._-]+(?:=[A-Za-z0-9._~%:+-]+)?)*';
const CONTACT = new RegExp(`^(sips?):(?:([^@\\s]{1,128})@)?(${HOST})(:\\d{1,5})?(${PARAMETERS})$`, 'i');
const PATH = new RegExp(
  `^<?(sips?:(?:[A-Za-z0-9._~%+-]{1,256}@)?(?:${HOST})(?::\\d{1,5})?${PARAMETERS})>?$`,
  'i',
);

/**
 * Where FreeSWITCH finds a registered device: its contact, by the edge its Path names.
 * A contact is what somebody's phone wrote: undefined for one that could be taken for
 * anything else by FreeSWITCH.
 */
export function deviceAddress({ uri, path }: Contact): string | undefined {
  const [, scheme, user, host, port = '', parameters = ''] = CONTACT.exec(uri) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  const paths = path.map((one) => PATH.exec(one)?.[1]);
  if (paths.some((one) => one === undefined)) return undefined;
  const via = paths.map((one) => `<${one}>`).join(',');
  const at = user === undefined ? '' : `${escaped(user)}@`;
  // A parameter of FreeSWITCH's own would lead the call elsewhere.
  const own = parameters.split(';').filter((parameter) => parameter !== '' && !/^fs_/i.test(parameter));
  const rest = own.map((parameter) => `;${parameter}`).join('');
  const route = via === '' ? '' : `;fs_path=${encodeURIComponent(via)}`;
  return `sofia/mesh/${scheme.toLowerCase()}:${at}${host}${port}${rest}${route}`;
}

/** What is escaped already stays so. */
function escaped(user: string): string {
  return user.replace(/%[0-9A-Fa-f]{2}|[^%]+|%/g, (part) =>
    /^%[0-9A-Fa-f]{2}$/.test(part) ? part : userPart(part),
  );
}
