import { randomExponential, randomLogNormal } from 'd3-random';

export interface Arrival {
  readonly at: number;
  readonly lasts: number;
  readonly callId: string;
  /** The door it comes to. */
  readonly door: number;
}

/** A long tail: the longest hundredth of all calls lasts an hour's third and more. */
const SIGMA = 1;

interface Traffic {
  readonly perSecond: number;
  readonly meanS: number;
  readonly untilMs: number;
  readonly doors: number;
  readonly random: () => number;
}

/**
 * Calls as they come: Poisson arrivals, lognormal lengths. Times in milliseconds. Within `fillMs`
 * come as many as are live in the long run, each for what is left of its length then: nobody has to
 * wait hours for the long tail.
 */
export function* calls(traffic: Traffic, fillMs: number): Generator<Arrival> {
  const { perSecond, meanS } = traffic;
  const live = (perSecond * meanS * 1_000) / fillMs;
  const { random } = traffic;
  for (const call of poisson({ ...traffic, perSecond: live, untilMs: fillMs }, 'old', SIGMA ** 2))
    yield { ...call, lasts: fillMs - call.at + call.lasts * random() };
  for (const call of poisson({ ...traffic, untilMs: traffic.untilMs - fillMs }, 'new', 0))
    yield { ...call, at: fillMs + call.at };
}

/** `bias` makes lengths those of calls that are met at some moment: the longer, the likelier met. */
function* poisson(traffic: Traffic, name: string, bias: number): Generator<Arrival> {
  const { perSecond, meanS, untilMs, doors, random } = traffic;
  const gap = randomExponential.source(random)(perSecond / 1_000);
  const length = randomLogNormal.source(random)(Math.log(meanS * 1_000) - SIGMA ** 2 / 2 + bias, SIGMA);
  for (let at = gap(), n = 0; at < untilMs; at += gap(), n += 1)
    yield {
      at,
      lasts: length(),
      callId: `${name}-${n}-${random()}@pbx.example`,
      door: Math.floor(random() * doors),
    };
}
