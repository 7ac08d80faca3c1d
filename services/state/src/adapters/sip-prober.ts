import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Component } from '@callmesh/runtime';
import type { NodeTable } from '../domain/table.ts';
import { now } from './clock.ts';

/** How often those in question are asked, and how long an answer may take, milliseconds. */
const EVERY_MS = 500;
const ANSWER_MS = 400;
/** Most that are asked at once: when more than these are in question, it is not the nodes'. */
const MOST = 100;

/**
 * Asks nodes that the stores miss for a sign of life by the way their calls go: a node that is only cut off from
 * the mesh answers SIP. Nobody else is asked.
 */
export function sipProber(table: NodeTable): Component {
  let timer: NodeJS.Timeout | undefined;
  const probe = async () => {
    for (const { id, epoch, sipUri } of table.inQuestion().slice(0, MOST))
      void answers(sipUri).then((well) => well && table.answered(id, epoch, now()));
  };
  return {
    name: 'sip-prober',
    async start() {
      timer = setInterval(() => void probe(), EVERY_MS);
    },
    async stop() {
      clearInterval(timer);
    },
  };
}

const ADDRESS =
  /^sips?:(?:\[(?<six>[0-9a-fA-F:.]+)\]|(?<four>[\d.]+)):(?<port>\d+)(?:;transport=(?<by>\w+))?$/;

function answers(sipUri: string): Promise<boolean> {
  const { six, four, port, by } = ADDRESS.exec(sipUri)?.groups ?? {};
  const host = six ?? four;
  if (host === undefined) return Promise.resolve(false);
  return by === 'tcp' || by === 'tls' ? connects(host, Number(port)) : replies(host, Number(port), sipUri);
}

/** Over a connection the server's system answers for it: less than a reply, but not from a dead host. */
function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: ANSWER_MS });
    const end = (well: boolean) => {
      socket.removeAllListeners().on('error', () => {});
      socket.destroy();
      resolve(well);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

/** OPTIONS, and whether anything comes back that is a SIP response: also 503 is a sign of life. */
function replies(host: string, port: number, sipUri: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (well: boolean) => {
      clearTimeout(timer);
      // What still comes is nobody's.
      socket.removeAllListeners().on('error', () => {});
      socket.close();
      resolve(well);
    };
    const timer = setTimeout(() => end(false), ANSWER_MS);
    socket.once('error', () => end(false));
    socket.on('message', (data) => {
      if (data.toString('latin1', 0, 8) === 'SIP/2.0 ') end(true);
    });
    socket.connect(port, host, () => {
      const { address, port: local } = socket.address();
      const here = address.includes(':') ? `[${address}]:${local}` : `${address}:${local}`;
      socket.send(options(sipUri, here));
    });
  });
}

function options(sipUri: string, here: string): string {
  const id = randomBytes(8).toString('hex');
  return [
    `OPTIONS ${sipUri} SIP/2.0`,
    `Via: SIP/2.0/UDP ${here};branch=z9hG4bK${id};rport`,
    'Max-Forwards: 70',
    `From: <sip:state@${here}>;tag=${id}`,
    `To: <${sipUri}>`,
    `Call-ID: ${id}@callmesh`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n');
}
