export * from './config.ts';
export * from './errors.ts';
export * from './grpc/client.ts';
export { fromGrpcError, toGrpcError } from './grpc/errors.ts';
export { bidiHandler, type CallContext, streamHandler, unaryHandler, type Write } from './grpc/handlers.ts';
export { grpcServer, type ServiceBinding } from './grpc/server.ts';
export { boundAddress, splitAddress } from './http.ts';
export { type Component, Lifecycle, withTimeout } from './lifecycle.ts';
export { App, type Health, runService } from './service.ts';
