/**
 * Groups what an iterator gives: what comes within `lingerMs` of the first, at
 * most `most`. Nothing is asked of the source while a group is worked on.
 */
export async function* batches<T>(
  source: AsyncIterable<T>,
  most: number,
  lingerMs: number,
): AsyncGenerator<T[]> {
  const iterator = source[Symbol.asyncIterator]();
  let next = iterator.next();
  for (;;) {
    const first = await next;
    if (first.done) return;
    const group = [first.value];
    const enough = timer(lingerMs);
    next = iterator.next();
    while (group.length < most) {
      // A source that fails meanwhile is heard of after this group.
      const one = await Promise.race([next, enough.over]).catch(() => undefined);
      if (!one || one.done) break;
      group.push(one.value);
      next = iterator.next();
    }
    enough.clear();
    next.catch(() => {});
    yield group;
  }
}

function timer(ms: number): { readonly over: Promise<undefined>; clear(): void } {
  let timeout: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timeout = setTimeout(resolve, ms, undefined);
  });
  return { over, clear: () => clearTimeout(timeout) };
}
