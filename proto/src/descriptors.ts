import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { protoFiles, ROOT } from './files.ts';

/** Every callmesh proto as a package definition, for gRPC reflection. */
export function packageDefinition(): PackageDefinition {
  return loadSync(protoFiles(), { includeDirs: [ROOT], keepCase: true });
}
