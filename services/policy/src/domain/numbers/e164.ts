const E164 = /^\+[1-9]\d{2,14}$/;
const SEPARATORS = /[-.() ]/g;

/**
 * A number as the platform keeps it, "+4930123456" (ITU-T E.164); "00" in front is
 * taken for "+". Undefined for what is no such number: extensions, names, national
 * forms, which only the rules of a trunk can understand.
 */
export function toE164(text: string): string | undefined {
  const number = text.replace(SEPARATORS, '').replace(/^00/, '+');
  return E164.test(number) ? number : undefined;
}

/** The longest of these prefixes that a number begins with; undefined when none does. */
export function longestPrefix(prefixes: readonly string[], number: string): string | undefined {
  let longest: string | undefined;
  for (const prefix of prefixes)
    if (prefix.length > (longest?.length ?? 0) && number.startsWith(prefix)) longest = prefix;
  return longest;
}
