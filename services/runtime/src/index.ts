export * from './config.ts';
export * from './errors.ts';
export * from './etcd/index.ts';
export * from './events/index.ts';
export * from './grpc/client.ts';
export { fromGrpcError, toGrpcError } from './grpc/errors.ts';
export { bidiHandler, type CallContext, streamHandler, unaryHandler, type Write } from './grpc/handlers.ts';
export { mayActFor, type Principal, requireTenant } from './grpc/principal.ts';
export { type GrpcClientCredentials, grpcServer, type ServiceBinding } from './grpc/server.ts';
export { boundAddress, splitAddress } from './http.ts';
export { type Component, Lifecycle, withTimeout } from './lifecycle.ts';
export { Nats } from './nats.ts';
export { afterToken, pageSize, pageToken } from './page.ts';
export { type Kept, RecoveryStore } from './recovery/store.ts';
export { type RoleName, roleName, roleNames, roleOf } from './roles.ts';
export { App, type Health, runService } from './service.ts';
export { etcdAccess } from './stores.ts';
export {
  aboutCall,
  continueTrace,
  extract,
  inject,
  inSpan,
  SpanKind,
  startFirstStep,
  traceparent,
  withStep,
} from './tracing.ts';
