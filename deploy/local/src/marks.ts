import { markedMessages } from '@callmesh/proto/sensitive';

/** Where the marks of the protos are kept for whoever must not read the protos first, below the root. */
export const MARKS = 'proto/src/marks.json';

export function marksText(): string {
  return `${JSON.stringify(markedMessages(), null, 2)}\n`;
}
