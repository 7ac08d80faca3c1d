/** What a side showed in one round, by the name of the figure. */
export type Sample = Readonly<Record<string, number>>;

/** One of those that are measured side by side: callmesh, or what people use today. */
export type Side = (round: Round) => Promise<Sample>;

export interface Round {
  /** From 0; of warm-up -1. The same round gets the same arrivals on every side. */
  readonly number: number;
}

/** The sides of a benchmark, ready to be measured. */
export interface Contest {
  /** By name, callmesh first. */
  readonly sides: Readonly<Record<string, Side>>;
  /** Versions of what took part, beside Node. */
  readonly versions: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** What has to hold, of the medians over all rounds. */
export interface Limit {
  readonly figure: string;
  /** Whose; the first side's unless named. */
  readonly side?: string;
  /** The side whose figure of the same round it is divided by; the figure itself unless named. */
  readonly over?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Setting {
  /** True: only to see that it works; short, and no verdict. */
  readonly quick: boolean;
  /** Tells what is going on. */
  readonly say: (what: string) => void;
}

export interface Benchmark {
  readonly name: string;
  /** What is measured and how, in a few sentences. */
  readonly measures: string;
  /** What callmesh is compared with. */
  readonly peer: string;
  readonly limits: readonly Limit[];
  /** True: what is measured takes no real time, so that there is nothing to warm up. */
  readonly simulated?: boolean;
  open(setting: Setting): Promise<Contest>;
}
