/** What the domain reads of an event of FreeSWITCH: decoded headers by name. */
export interface Fields {
  /** Event-Name. */
  readonly name: string;
  /** A header's value, names as FreeSWITCH writes them. */
  get(name: string): string | undefined;
  /** A channel variable's value. */
  variable(name: string): string | undefined;
  /** A header as a number; undefined when it is absent or none. */
  number(name: string): number | undefined;
}

/** The first of these headers that says something. */
export function firstOf(fields: Fields, names: readonly string[]): string {
  for (const name of names) {
    const value = fields.get(name);
    if (value) return value;
  }
  return '';
}
