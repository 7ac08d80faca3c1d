import { hash } from './hash.ts';
import { lightest } from './lightest.ts';
import { random } from './random.ts';
import { sequential } from './sequential.ts';
import type { Strategy } from './strategy.ts';
import { weightedRandom } from './weighted-random.ts';

/** Every strategy a node group may name. */
export const strategies: readonly Strategy[] = [lightest, random, hash, sequential, weightedRandom];

const byName = new Map(strategies.map((strategy) => [strategy.name, strategy]));

/** The strategy of a group; lightest when it names none, or one this version does not have. */
export function strategyNamed(name: string): Strategy {
  return byName.get(name) ?? lightest;
}
