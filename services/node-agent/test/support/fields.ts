import type { Fields } from '../../src/domain/fields.ts';

/** An event with these headers. */
export function fields(name: string, headers: Record<string, string | number> = {}): Fields {
  const get = (key: string) => headers[key]?.toString();
  return {
    name,
    get,
    variable: (key) => get(`variable_${key}`),
    number: (key) => {
      const value = Number(get(key) || Number.NaN);
      return Number.isFinite(value) ? value : undefined;
    },
  };
}
