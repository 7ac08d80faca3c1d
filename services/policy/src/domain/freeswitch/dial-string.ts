import { fail } from '@callmesh/runtime';

/**
 * What may stand in a variable or a URI that FreeSWITCH is given: nothing that it
 * expands ("$", "\"), takes for a quote, or splits a dial string at (comma, "|",
 * brackets, "^"). What people may write is encoded or refused before it comes here;
 * this is the last gate, for all of it.
 */
const SAFE = /^[A-Za-z0-9+*#@.:;=<>/_%~!() -]*$/;

/** The text, if it is safe. Error: internal, since everything was checked where it came from. */
export function safe(text: string): string {
  if (!SAFE.test(text) || text.length > 1024) throw fail('internal', 'unsafe text for FreeSWITCH');
  return text;
}

/** A user part (RFC 3261 section 25.1) in which everything but letters, digits, "+", "*" and ".-_" is escaped. */
export function userPart(user: string): string {
  return [...new TextEncoder().encode(user)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9+*._-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

/** "[name=value,...]" in front of an address: variables of that leg alone. */
export function legVariables(variables: Readonly<Record<string, string>>): string {
  const list = Object.entries(variables).map(([name, value]) => `${safe(name)}=${safe(value)}`);
  return list.length > 0 ? `[${list.join(',')}]` : '';
}

/** An application of FreeSWITCH and its argument. */
export interface App {
  readonly application: string;
  readonly data: string;
}

export function set(name: string, value: string): App {
  return { application: 'set', data: `${safe(name)}=${safe(value)}` };
}

/** Causes after which the next application runs; without any the leg is hung up with whatever its bridge failed with. */
export function continueOn(causes: readonly string[]): App {
  const list = causes.length > 0 ? causes.map(safe).join(',') : 'false';
  return { application: 'set', data: `continue_on_fail=${list}` };
}

/** Legs that are tried one after another, or called at once. */
export function bridge(legs: readonly string[], how: 'in order' | 'at once', before = ''): App {
  return { application: 'bridge', data: before + legs.join(how === 'at once' ? ',' : '|') };
}
