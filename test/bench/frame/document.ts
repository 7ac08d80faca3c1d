/** Marks in docs/benchmarks.md between which a benchmark's last figures stand; what people write beside them stays. */
const begin = (name: string) => `<!-- figures of ${name} -->`;
const end = (name: string) => `<!-- end of ${name} -->`;

/** The document with these figures in their place, or at its end where they have none yet. */
export function withFigures(document: string, name: string, figures: string): string {
  const block = `${begin(name)}\n\n${figures}\n\n${end(name)}`;
  const [from, to] = [document.indexOf(begin(name)), document.indexOf(end(name))];
  if (from < 0 && to < 0) return `${document.trimEnd()}\n\n## ${name}\n\n${block}\n`;
  if (from < 0 || to < from)
    throw new Error(`the marks of ${name} are broken: expected "${begin(name)}", then "${end(name)}"`);
  return document.slice(0, from) + block + document.slice(to + end(name).length);
}
