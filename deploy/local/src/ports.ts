import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Below Linux's ephemeral range, so that no outgoing connection takes one meanwhile. */
const FIRST = 10_000;
const SPAN = 4_000;
const SLOTS = 5;

/** Test workers draw from ranges of their own: none sees a port as free that another is about to take. */
const base = FIRST + (Number(process.env.VITEST_POOL_ID ?? 0) % SLOTS) * SPAN;
let next = Math.floor(Math.random() * SPAN);

function canBindTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function canBindUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}

/** A port that is free on 127.0.0.1 for TCP and UDP, not given out before by this process. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < SPAN; tried++) {
    const port = base + (next++ % SPAN);
    if ((await canBindTcp(port)) && (await canBindUdp(port))) return port;
  }
  throw new Error(`no free port between ${base} and ${base + SPAN}`);
}
