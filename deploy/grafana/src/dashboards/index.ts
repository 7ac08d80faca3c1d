import type { Board } from '../model.ts';
import { edges } from './edges.ts';
import { failures } from './failures.ts';
import { media } from './media.ts';
import { nodes } from './nodes.ts';
import { overview } from './overview.ts';
import { policy } from './policy.ts';
import { services } from './services.ts';
import { tenants } from './tenants.ts';

/** Every board there is. */
export const boards: readonly Board[] = [overview, nodes, tenants, policy, failures, media, edges, services];
