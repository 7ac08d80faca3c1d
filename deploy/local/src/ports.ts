import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Below Linux's ephemeral range, so that no outgoing connection takes one meanwhile. */
const FIRST = 10_000;
const SPAN = 4_000;
const SLOTS = 5;

/** Above the ports given out one by one: rtpengine may share a UDP port with another, silently. */
const RTP_FIRST = FIRST + SLOTS * SPAN;
const RTP_SPAN = 500;

/** Above the ephemeral range: media of the FreeSWITCH nodes, a range for each, since they too share silently. */
const NODE_RTP_FIRST = 61_000;
const NODE_RTP_SPAN = 376;
const NODE_RTP_RANGES = 12;

/** Test workers draw from ranges of their own: none sees a port as free that another is about to take. */
const slot = Number(process.env.VITEST_POOL_ID ?? 0) % SLOTS;
const base = FIRST + slot * SPAN;
let next = Math.floor(Math.random() * SPAN);
let nextNode = Math.floor(Math.random() * NODE_RTP_RANGES);

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

/** First and last port for RTP of one of so many rtpengines; no other part of a mesh gets one of these. */
export function rtpPorts(which = 1, of = 1): [low: number, high: number] {
  const span = 2 * Math.floor(RTP_SPAN / of / 2);
  const low = RTP_FIRST + slot * RTP_SPAN + (which - 1) * span;
  return [low, low + span - 1];
}

/** First and last port for RTP of one more node, 187 calls; the thirteenth gets the first one's again. */
export function nodeRtpPorts(): [low: number, high: number] {
  const low = NODE_RTP_FIRST + (nextNode++ % NODE_RTP_RANGES) * NODE_RTP_SPAN;
  return [low, low + NODE_RTP_SPAN - 2];
}
