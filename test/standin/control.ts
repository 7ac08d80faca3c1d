// HTTP on loopback by which tests and the demo steer stand-ins in another process. Bodies are JSON.
//   GET  /nodes                        every node's status
//   GET  /nodes/<id>                   one node's status: settings, counts, addresses
//   GET  /nodes/<id>/channels          its legs, with Call-ID, caller, X-Callmesh headers
//   POST /nodes/<id>/set               {"answerDelayMs": 200, "respond": 503}   (node/settings.ts)
//   POST /nodes/<id>/hangup            {"uuid"?, "call_id"?, "cause"?}; without uuid and call_id: all
//   POST /nodes/<id>/originate         {"dial": "sofia/internal/1@127.0.0.1:5060", "app"?: "&park()"}
//   POST /nodes/<id>/request           {"call_id", "method", "body"?, "headers"?}: a request in that dialog
//   POST /nodes/<id>/freeze|thaw|kill|stop
// With "*" for <id> every node is meant; without /nodes/<id> the first one: POST /set, GET /channels.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { runApi } from './esl/api.ts';
import { parseCause } from './node/causes.ts';
import type { StandinNode } from './node/node.ts';

export class ControlServer {
  private readonly server: Server;

  private constructor(nodes: StandinNode[]) {
    this.server = createServer(async (request, response) => {
      const { status, body } = await handle(nodes, request);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(body)}\n`);
    });
  }

  static open(address: { host: string; port: number }, nodes: StandinNode[]): Promise<ControlServer> {
    const control = new ControlServer(nodes);
    return new Promise((resolve, reject) => {
      control.server.once('error', reject);
      control.server.listen(address.port, address.host, () => resolve(control));
    });
  }

  /** "127.0.0.1:12345". */
  get address(): string {
    const address = this.server.address();
    return typeof address === 'object' && address ? `${address.address}:${address.port}` : '';
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

type Answer = { status: number; body: unknown };

async function handle(nodes: StandinNode[], request: IncomingMessage): Promise<Answer> {
  try {
    const path = (request.url ?? '/').split('/').filter(Boolean).map(decodeURIComponent);
    if (path[0] === 'nodes' && path.length === 1) return { status: 200, body: nodes.map(describe) };
    const id = path[0] === 'nodes' ? path[1] : nodes[0]?.id;
    const verb = (path[0] === 'nodes' ? path[2] : path[0]) ?? 'status';
    const chosen = id === '*' ? nodes : nodes.filter((node) => node.id === id);
    if (chosen.length === 0) return { status: 404, body: { message: `no node ${id}` } };
    const body = request.method === 'POST' ? await readJson(request) : {};
    const results = await Promise.all(chosen.map((node) => act(node, verb, body)));
    return { status: 200, body: id === '*' ? results : results[0] };
  } catch (error) {
    return { status: 400, body: { message: (error as Error).message } };
  }
}

async function act(node: StandinNode, verb: string, body: Record<string, unknown>): Promise<unknown> {
  switch (verb) {
    case 'status':
      return describe(node);
    case 'channels':
      return [...node.legs.values()].map(({ channel, session }) => ({
        uuid: channel.uuid,
        direction: channel.direction,
        call_id: session.dialog.callId,
        state: channel.callState,
        caller: channel.profile.callerNumber,
        destination: channel.profile.destination,
        peer: channel.peer?.uuid,
        rtp: { received: channel.rtp.received, sent: channel.rtp.sent },
        headers: Object.fromEntries([...channel.variables].filter(([name]) => name.startsWith('sip_h_'))),
      }));
    case 'set':
      node.set(body);
      return describe(node);
    case 'hangup': {
      const cause = parseCause(typeof body.cause === 'string' ? body.cause : undefined);
      const before = node.channels.size;
      node.hangupAll(cause, (channel) => {
        const callId = channel.session?.dialog.callId;
        if (body.uuid !== undefined) return channel.uuid === body.uuid;
        return body.call_id === undefined || callId === body.call_id;
      });
      return { ended: before - node.channels.size };
    }
    case 'originate': {
      const text = await runApi(node, 'originate', `${String(body.dial)} ${String(body.app ?? '&park()')}`);
      return { reply: text.trim() };
    }
    case 'request': {
      const leg = [...node.legs.values()].find(({ session }) => session.dialog.callId === body.call_id);
      if (!leg) throw new Error(`no call ${String(body.call_id)}`);
      const method = String(body.method);
      const sdp = method === 'INVITE' ? leg.media.offer() : '';
      const response = await leg.session.request(method, {
        headers: (body.headers ?? {}) as Record<string, string>,
        body: typeof body.body === 'string' ? body.body : sdp,
      });
      return { status: response.status, reason: response.reason };
    }
    case 'freeze':
    case 'thaw':
      node.freeze(verb === 'freeze');
      return describe(node);
    case 'kill':
      node.kill();
      return { id: node.id };
    case 'stop':
      void node.stop();
      return { id: node.id };
    default:
      throw new Error(`unknown verb ${verb}`);
  }
}

function describe(node: StandinNode) {
  const { counter } = node;
  return {
    id: node.id,
    sip: node.dead ? '' : node.sip,
    esl: node.dead ? '' : node.eslAddress,
    core_uuid: node.coreUuid,
    state: node.dead ? 'dead' : node.frozen ? 'frozen' : 'up',
    channels: node.channels.size,
    invites: counter.invites,
    refused: counter.refused,
    sessions: counter.total,
    peak: counter.peak,
    esl_clients: node.esl.clients,
    settings: node.settings,
  };
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8').trim();
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}
