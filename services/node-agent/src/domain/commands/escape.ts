/**
 * FreeSWITCH takes a line apart in layers: the words of an API command, the list
 * of applications in an inline dialplan, the variables in front of a dial string.
 * Each layer undoes quotes and backslashes once more. One function per layer puts
 * on what the layer takes off; they nest as the layers do, innermost first.
 */

/** One word of an API command or of an application's arguments (split at spaces). */
export function word(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

/** One element of a list split at `delimiter`. */
export function element(text: string, delimiter: string): string {
  const escaped = text.replace(/[\\']/g, '\\$&').replaceAll(delimiter, `\\${delimiter}`);
  // Spaces at either end are trimmed; \s is a space that is not.
  return escaped.replace(/^ +| +$/g, (spaces) => '\\s'.repeat(spaces.length));
}

/**
 * What an application gets after variables were expanded. Text without a backslash
 * is taken as it stands (nobody's `${` comes this far); with one, backslashes and
 * dollars are undone.
 */
export function unexpanded(text: string): string {
  return text.includes('\\') ? text.replace(/[\\$]/g, '\\$&') : text;
}

/** `{name=value,...}` in front of a dial string. */
export function braces(variables: Readonly<Record<string, string>>): string {
  const list = Object.entries(variables).map(([name, value]) =>
    element(`${name}=${value === '' ? "''" : element(value, '=')}`, ','),
  );
  return list.length > 0 ? `{${list.join(',')}}` : '';
}

/** An application of FreeSWITCH and its argument, as the application shall see it. */
export interface App {
  readonly name: string;
  readonly arg?: string;
}

/** Applications one after another, as destination for the dialplan `inline`. */
export function inline(apps: readonly App[]): string {
  const list = apps.map(({ name, arg }) =>
    element(arg === undefined ? name : `${name}:${unexpanded(arg)}`, '^'),
  );
  return `m:^:${list.join('^')}`;
}
