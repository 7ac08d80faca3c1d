import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fail } from '@callmesh/runtime';

const run = promisify(execFile);
/** What a write to a FIFO does at once or not at all (PIPE_BUF on Linux), bytes. */
const ATOMIC = 4096;

/**
 * A FIFO that Kamailio writes its answers into. Node has no mkfifo of its own.
 * It is held open for reading and writing, so that it never ends between two
 * answers.
 */
export class ReplyFifo {
  readonly name: string;
  readonly #path: string;
  readonly #socket: Socket;

  private constructor(name: string, path: string, socket: Socket) {
    this.name = name;
    this.#path = path;
    this.#socket = socket;
  }

  static async create(directory: string, name: string, onData: (chunk: string) => void): Promise<ReplyFifo> {
    const path = join(directory, name);
    await rm(path, { force: true });
    await run('mkfifo', ['-m', '600', path]);
    const handle = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
    const socket = new Socket({ fd: handle.fd, readable: true, writable: false });
    // Decodes across chunks: a character may be cut in two.
    socket.setEncoding('utf8');
    socket.on('data', onData);
    socket.on('error', () => {});
    // The socket owns the descriptor now; the handle only must not be collected before it.
    socket.once('close', () => void handle.close().catch(() => {}));
    return new ReplyFifo(name, path, socket);
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await rm(this.#path, { force: true });
  }
}

/** Writes one line into Kamailio's FIFO. Errors: unavailable when nobody reads it, too_large. */
export async function writeLine(path: string, line: string): Promise<void> {
  const bytes = Buffer.from(`${line}\n`);
  if (bytes.length > ATOMIC) throw fail('too_large', `a request of ${bytes.length} bytes exceeds ${ATOMIC}`);
  let fifo: FileHandle;
  try {
    // Non-blocking: without a reader opening fails at once (ENXIO) instead of waiting for one.
    fifo = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw fail('unavailable', `Kamailio does not listen on its FIFO (${code(error)})`, { cause: error });
  }
  try {
    const { bytesWritten } = await fifo.write(bytes);
    if (bytesWritten < bytes.length) throw fail('unavailable', 'the FIFO took only part of a request');
  } catch (error) {
    throw fail('unavailable', `Kamailio does not read its FIFO (${code(error)})`, { cause: error });
  } finally {
    await fifo.close();
  }
}

function code(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}
