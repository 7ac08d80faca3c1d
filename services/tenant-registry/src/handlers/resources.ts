import type {
  CreateRequest,
  DeleteRequest,
  DeleteResponse,
  GetRequest,
  ListRequest,
  ListResponse,
  Resource,
  UpdateRequest,
} from '@callmesh/proto/tenant';
import { afterToken, fail, pageSize, pageToken } from '@callmesh/runtime';
import type { Outcome } from '../adapters/writer.ts';
import { reportFor } from '../domain/batch.ts';
import { specOfKind } from '../domain/kinds/index.ts';
import { fromResource, toResource } from '../domain/resource.ts';
import type { Registry } from './registry.ts';

/** The calls about single resources and lists of them; `actor` is who asks. */

export async function create(
  registry: Registry,
  { resource }: CreateRequest,
  actor: string,
): Promise<Resource> {
  const { spec, row } = fromResource(resource);
  const put = { spec, row, expect: 'absent', report: reportFor(spec) } as const;
  return onlyStored(await registry.apply({ puts: [put] }, actor));
}

export async function update(
  registry: Registry,
  { resource }: UpdateRequest,
  actor: string,
): Promise<Resource> {
  const { spec, row, id, revision } = fromResource(resource);
  const put = { spec, row, id, revision, expect: 'present', report: reportFor(spec) } as const;
  return onlyStored(await registry.apply({ puts: [put] }, actor));
}

function onlyStored({ stored }: Outcome): Resource {
  return toResource([...stored.values()][0]!);
}

export async function get({ store }: Registry, { kind, id }: GetRequest): Promise<Resource> {
  return toResource(await store.get(specOfKind(kind), requireId(id)));
}

export async function remove(
  registry: Registry,
  { kind, id, cascade }: DeleteRequest,
  actor: string,
): Promise<DeleteResponse> {
  const removes = [{ spec: specOfKind(kind), id: requireId(id) }];
  const { revision } = await registry.apply({ puts: [], removes, cascade }, actor);
  return { revision };
}

export async function list(
  { store }: Registry,
  { kind, tenantId, pageSize: asked, pageToken: token }: ListRequest,
): Promise<ListResponse> {
  const spec = specOfKind(kind);
  const limit = pageSize(asked);
  const name = `${spec.name}/${tenantId}`;
  const after = afterToken(name, token);
  // One more than wanted shows whether there is another page.
  const { rows, revision } = await store.list({ spec, tenant: tenantId, after, limit: limit + 1 });
  const page = rows.slice(0, limit);
  const more = rows.length > limit;
  return {
    resources: page.map(toResource),
    nextPageToken: more ? pageToken(name, page.at(-1)!.id) : '',
    revision,
  };
}

function requireId(id: string): string {
  if (id === '') throw fail('invalid_argument', 'id: expected the id of a resource', { field: 'id' });
  return id;
}
