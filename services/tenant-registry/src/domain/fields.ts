import { z } from 'zod';

/** Building blocks of the kinds' schemas; every message says what was expected. */

/** No control characters: these texts end up in logs, SIP headers and XML. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** An identifier: 1-63 of a-z, 0-9 and "-", not beginning with "-". */
export const slug = pattern(
  /^[a-z0-9][a-z0-9-]{0,62}$/,
  'expected 1-63 of a-z, 0-9 and "-", beginning with a letter or digit',
);

/** A public number (E.164) with its "+". */
export const e164 = pattern(/^\+[1-9]\d{2,14}$/, 'expected an E.164 number such as "+4930123456"');

/** A public number, or nothing. */
export const e164OrNone = pattern(
  /^(\+[1-9]\d{2,14})?$/,
  'expected an E.164 number such as "+4930123456", or nothing',
).default('');

/** The beginning of public numbers. */
export const e164Prefix = pattern(/^\+[1-9]\d{0,14}$/, 'expected an E.164 prefix such as "+49"');

/** MD5(username:realm:password) in hex (RFC 7616 section 3.4.2). */
export const ha1Md5 = pattern(
  /^[0-9a-f]{32}$/,
  'expected MD5(username:realm:password) as 32 lower-case hex digits',
);

/** SHA-256(username:realm:password) in hex; empty when the other end only does MD5. */
export const ha1Sha256 = pattern(
  /^([0-9a-f]{64})?$/,
  'expected SHA-256(username:realm:password) as 64 lower-case hex digits, or nothing',
).default('');

/** A SIP domain: a host name (RFC 1123) in lower case, at most 253 characters. */
export const domainName = pattern(
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
  'expected a host name in lower case such as "acme.example"',
);

/**
 * Origin of a web page as browsers serialize it (RFC 6454 section 6.2): lower case,
 * no path, and no port where it is the scheme's own.
 */
export const webOrigin = pattern(
  /^(?!https:.*:443$|http:.*:80$)(?=.{1,253}$)[a-z][a-z0-9+.-]*:\/\/([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?$/,
  'expected an origin as browsers send it, such as "https://agents.acme.example"',
);

/** SIP user part that needs no escaping anywhere. */
export const sipUser = pattern(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1-64 of A-Z, a-z, 0-9, ".", "_" and "-"');

/** Text for people. */
export function text(max: number) {
  return z
    .string('expected text')
    .max(max, `expected at most ${max} characters`)
    .refine((value) => !CONTROL.test(value), 'expected text without control characters')
    .default('');
}

/** A limit; 0 means none. */
export const limit = integer(0, 1_000_000).default(0);

export function integer(min: number, max: number) {
  const message = `expected a whole number from ${min} to ${max}`;
  return z.int(message).min(min, message).max(max, message);
}

/** `true` unless told otherwise. */
export const yes = z.boolean('expected true or false').default(true);

/** `false` unless told otherwise. */
export const no = z.boolean('expected true or false').default(false);

export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, `expected one of ${values.join(', ')}`);
}

export function pattern(regex: RegExp, message: string) {
  return z.string(message).regex(regex, message);
}

/** A list without repetitions; compared after its items are brought into their one form. */
export function uniqueList<S extends z.ZodType<string>>(item: S, max: number) {
  return z
    .array(item, 'expected a list')
    .max(max, `expected at most ${max} entries`)
    .superRefine((values, context) => {
      values.forEach((value, index) => {
        if (values.indexOf(value) !== index)
          context.addIssue({ code: 'custom', path: [index], message: `${value} is listed twice` });
      });
    })
    .default([]);
}
