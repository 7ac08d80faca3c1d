import { readFileSync } from 'node:fs';
import { CallmeshError, catalogue } from '@callmesh/runtime';
import { parse } from 'yaml';
import { z } from 'zod';

export const GOLDEN = new URL('../../golden/', import.meta.url);

/** The mesh every scenario starts from. */
export const base = parse(readFileSync(new URL('_world.yaml', GOLDEN), 'utf8')) as unknown;

/** A refusal as scenarios write it. */
export const refusal = z.strictObject({
  code: z.string(),
  sip: z.int(),
  retry_after: z.number().optional(),
  realm: z.string().optional(),
});

/** How something is refused; undefined when it is not. */
export function refusalOf(act: () => unknown): z.infer<typeof refusal> | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof CallmeshError)) throw error;
    const { code, retryAfterS, realm } = error;
    return {
      code,
      sip: catalogue[code].sip,
      ...(retryAfterS !== undefined && { retry_after: retryAfterS }),
      ...(realm !== undefined && { realm }),
    };
  }
}
