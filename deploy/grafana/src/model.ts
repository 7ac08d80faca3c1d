/** What is asked of Prometheus, and what a series of the answer is called. */
export interface Query {
  readonly expr: string;
  /** Grafana's template, e.g. "{{node}}". */
  readonly legend?: string;
}

/** How an answer is shown. */
export type Kind = 'lines' | 'stacked' | 'number' | 'table' | 'timeline';

/** One question, and where its answer is to be had. */
export interface Panel {
  /** The question. */
  readonly title: string;
  readonly queries: readonly Query[];
  /** What a good answer looks like, or what to do about a bad one. */
  readonly description?: string;
  /** Grafana's unit id. */
  readonly unit?: string;
  readonly kind?: Kind;
  /** Of 24 columns; 8 unless told. */
  readonly width?: number;
  /** From here on it is worth a look, and from here on it is bad; below, where `bad` is the smaller. */
  readonly warn?: number;
  readonly bad?: number;
  readonly max?: number;
  /** timeline: what its numbers mean. */
  readonly values?: Readonly<Record<string, { readonly text: string; readonly color: string }>>;
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A choice above the panels: `$<name>` in a query. */
export interface Variable {
  readonly name: string;
  readonly label: string;
  /** Where its values come from: label of a metric. */
  readonly metric: string;
  /** The metric's label, where it is not called like the variable. */
  readonly of?: string;
}

export interface Board {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables?: readonly Variable[];
  readonly rows: readonly Row[];
}
