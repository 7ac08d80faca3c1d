import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Every callmesh proto as a package definition, for gRPC reflection. */
export function packageDefinition(): PackageDefinition {
  const files = readdirSync(`${ROOT}/callmesh`, { recursive: true, encoding: 'utf8' });
  return loadSync(
    files.filter((file) => file.endsWith('.proto')).map((file) => `callmesh/${file}`),
    { includeDirs: [ROOT], keepCase: true },
  );
}
