import type { Component } from '@callmesh/runtime';
import type { Mesh } from '../mesh.ts';

/** With an old snapshot at hand, a moment is worth waiting for a current one. */
const REFRESH_MS = 2_000;
/** Without any, policy can only refuse: it waits as long as a start may take. */
const FIRST_MS = 20_000;

/** Holds the start back until the mesh is known, so that a fresh instance refuses nobody by ignorance. */
export function firstSnapshot(mesh: Mesh): Component {
  return {
    name: 'first-snapshot',
    async start() {
      const both = ['tenants', 'nodes'] as const;
      await mesh.freshness.until([...both, 'sessions'], mesh.known ? REFRESH_MS : FIRST_MS);
      const learn = () => {
        mesh.known = true;
      };
      if (both.every((source) => mesh.freshness.silentSince(source) === undefined)) learn();
      else if (!mesh.known) void mesh.freshness.until(both, 2 ** 31 - 1).then(learn);
    },
  };
}
