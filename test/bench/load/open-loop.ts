/** What is due is begun this often, milliseconds. */
const TICK_MS = 1;

/**
 * Begins so many things a second for a while, evenly, whatever becomes of those before: arrivals do not
 * wait for answers. Each is told when it was due (performance.now), for its time counts from then.
 */
export async function openLoop(
  perSecond: number,
  seconds: number,
  begin: (due: number) => Promise<void>,
): Promise<void> {
  const open = new Set<Promise<void>>();
  const gap = 1_000 / perSecond;
  let due = performance.now();
  const end = due + seconds * 1_000;
  while (due < end) {
    for (const now = performance.now(); due <= now && due < end; due += gap) {
      const one = begin(due);
      open.add(one);
      void one.then(() => open.delete(one));
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(open);
}
