import type { NumberRule } from '../model.ts';

/** What became of a number, and the rule that did it; empty: none matched, the number stays. */
export interface Rewritten {
  readonly number: string;
  readonly rule: string;
}

/** The first rule whose digits the number begins with rewrites it; rules are in order of position. */
export function rewrite(number: string, rules: readonly NumberRule[]): Rewritten {
  const rule = rules.find(({ match }) => number.startsWith(match));
  return rule ? { number: rule.prepend + number.slice(rule.strip), rule: rule.id } : { number, rule: '' };
}
