import { readFileSync } from 'node:fs';
import type { Process } from '@callmesh/local';

/** What a service is started with so that its heap can be asked for; it costs nothing until somebody asks. */
export const INSPECTED = '--inspect=127.0.0.1:0';

interface Answer {
  readonly id?: number;
  readonly result?: { readonly usedSize?: number };
}

/** Bytes of heap a service has in use once everything nobody needs is collected. */
export async function heapOf(service: Process): Promise<number> {
  const told = [...readFileSync(service.spec.log, 'utf8').matchAll(/Debugger listening on (ws:\S+)/g)];
  const url = told.at(-1)?.[1];
  if (!url) throw new Error(`${service.name} was not started with ${INSPECTED}`);
  const socket = new WebSocket(url);
  try {
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    await ask(socket, 1, 'HeapProfiler.collectGarbage');
    return (await ask(socket, 2, 'Runtime.getHeapUsage')).result!.usedSize!;
  } finally {
    socket.close();
  }
}

function ask(socket: WebSocket, id: number, method: string): Promise<Answer> {
  const answered = new Promise<Answer>((resolve) => {
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.id === id) resolve(answer);
    };
  });
  socket.send(JSON.stringify({ id, method }));
  return answered;
}
