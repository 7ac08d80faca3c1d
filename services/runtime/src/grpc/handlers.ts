import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { CallmeshError, fail } from '../errors.ts';
import { toGrpcError } from './errors.ts';
import { MESH, type Principal, principalOf } from './principal.ts';

/** What a handler knows of its call beside the message. */
export interface CallContext {
  /** Unix milliseconds by which the caller wants the answer; Infinity when it did not say. */
  readonly deadline: number;
  /** Aborts when the caller cancels or goes away. */
  readonly signal: AbortSignal;
  readonly metadata: Metadata;
  /** Address of the caller. */
  readonly peer: string;
  /** Who calls, as its token proves, and for whom it may act. */
  readonly principal: Principal;
  /** Who acts, for audit: what a part of the mesh says, the name of any other client. */
  readonly actor: string;
}

/** What the three kinds of call have in common. */
type AnyCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  'cancelled' | 'getDeadline' | 'getPath' | 'getPeer' | 'metadata'
> & {
  once(event: 'cancelled', listener: () => void): unknown;
};

/** Where an unexpected error of a handler goes; set once by grpcServer. */
let report: (path: string, error: unknown) => void = () => {};
export function onHandlerFault(sink: typeof report): void {
  report = sink;
}

function contextOf(call: AnyCall): CallContext {
  const aborter = new AbortController();
  call.once('cancelled', () => aborter.abort());
  if (call.cancelled) aborter.abort();
  const deadline = call.getDeadline();
  const principal = principalOf(call.metadata);
  const said = call.metadata.get('callmesh-actor')[0]?.toString() ?? call.getPeer();
  return {
    deadline: deadline instanceof Date ? deadline.getTime() : deadline,
    signal: aborter.signal,
    metadata: call.metadata,
    peer: call.getPeer(),
    principal,
    actor: principal.name === MESH.name ? said : principal.name,
  };
}

/** Streams that are open; a server that drains ends them, so that their callers go to another replica. */
const openStreams = new Set<AbortController>();
export function endStreams(): void {
  for (const aborter of openStreams) aborter.abort();
}

function streamContextOf(call: AnyCall): CallContext & { readonly done: () => void } {
  const aborter = new AbortController();
  openStreams.add(aborter);
  const context = contextOf(call);
  return {
    ...context,
    signal: AbortSignal.any([context.signal, aborter.signal]),
    done: () => openStreams.delete(aborter),
  };
}

function statusOf(call: AnyCall, thrown: unknown): ReturnType<typeof toGrpcError> {
  if (!(thrown instanceof CallmeshError) || thrown.code === 'internal') report(call.getPath(), thrown);
  return toGrpcError(thrown);
}

/** A unary handler from an async function; what it throws is mapped by the catalogue. */
export function unaryHandler<Req, Res>(
  handle: (request: Req, context: CallContext) => Promise<Res> | Res,
): handleUnaryCall<Req, Res> {
  return async (call, callback) => {
    try {
      callback(null, await handle(call.request, contextOf(call)));
    } catch (error) {
      callback(statusOf(call, error));
    }
  };
}

/** Writes one message; resolves when there is room for the next, rejects when the caller is gone. */
export type Write<Res> = (message: Res) => Promise<void>;

function writer<Res>(
  call: ServerWritableStream<never, Res> | ServerDuplexStream<never, Res>,
  signal: AbortSignal,
): Write<Res> {
  return async (message) => {
    if (signal.aborted) throw fail('cancelled', 'the caller went away');
    if (call.write(message)) return;
    await new Promise<void>((resolve, reject) => {
      const done = (settle: () => void) => () => {
        call.off('drain', onDrain);
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onDrain = done(resolve);
      const onAbort = done(() => reject(fail('cancelled', 'the caller went away')));
      call.once('drain', onDrain);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  };
}

/** A server-streaming handler: write as often as wanted, return to end the stream. */
export function streamHandler<Req, Res>(
  handle: (request: Req, context: CallContext, write: Write<Res>) => Promise<void>,
): handleServerStreamingCall<Req, Res> {
  return async (call) => {
    const context = streamContextOf(call);
    try {
      await handle(call.request, context, writer(call as ServerWritableStream<never, Res>, context.signal));
      call.end();
    } catch (error) {
      call.emit('error', statusOf(call, error));
    } finally {
      context.done();
    }
  };
}

/** A bidirectional handler: reads messages as they come, writes answers in any order, returns to end. */
export function bidiHandler<Req, Res>(
  handle: (messages: AsyncIterable<Req>, context: CallContext, write: Write<Res>) => Promise<void>,
): handleBidiStreamingCall<Req, Res> {
  return async (call) => {
    const context = streamContextOf(call);
    try {
      await handle(call, context, writer(call as ServerDuplexStream<never, Res>, context.signal));
      call.end();
    } catch (error) {
      call.emit('error', statusOf(call, error));
    } finally {
      context.done();
    }
  };
}
