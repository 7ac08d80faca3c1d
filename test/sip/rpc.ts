import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
let serial = 0;

/** Asks a running Kamailio over its JSON-RPC FIFO, as the node-agent does. */
export async function rpc(
  directory: string,
  method: string,
  params: readonly unknown[] = [],
): Promise<unknown> {
  serial += 1;
  const replyName = `reply-${process.pid}-${serial}`;
  const replyPath = join(directory, replyName);
  await run('mkfifo', ['-m', '600', replyPath]);
  // Read and write at once: opening a FIFO for reading only would wait for its writer.
  const reply = await open(replyPath, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const fifo = await open(join(directory, 'fifo'), constants.O_WRONLY);
    const question = { jsonrpc: '2.0', method, params, reply_name: replyName, id: serial };
    await fifo.write(`${JSON.stringify(question)}\n`);
    await fifo.close();
    return readAnswer(await readUntilJson(reply), method);
  } finally {
    await reply.close();
    await rm(replyPath, { force: true });
  }
}

async function readUntilJson(fifo: { read(b: Buffer): Promise<{ bytesRead: number }> }): Promise<string> {
  let text = '';
  const deadline = Date.now() + 3000;
  while (Date.now() < deadline) {
    const chunk = Buffer.alloc(65536);
    const { bytesRead } = await fifo.read(chunk).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EAGAIN') return { bytesRead: 0 };
      throw error;
    });
    text += chunk.toString('utf8', 0, bytesRead);
    if (bytesRead === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    else if (isJson(text)) return text;
  }
  throw new Error(`no answer on the reply FIFO; so far: ${text}`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function readAnswer(text: string, method: string): unknown {
  const answer = JSON.parse(text) as { result?: unknown; error?: { message: string } };
  if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
  return answer.result;
}
