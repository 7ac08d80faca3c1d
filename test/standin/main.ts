// A stand-in FreeSWITCH node, or many in one process:
//   node test/standin/main.ts --id fs-media-a1 --sip 127.0.0.1:0 --esl 127.0.0.1:0 --password x --max 100
//   node test/standin/main.ts --id fs-media-a --count 200        (ids fs-media-a-1 .. fs-media-a-200)
// When ready it prints one JSON line: {"msg":"ready","id","sip","esl","core_uuid","control","nodes":[...]}.
// Settings (test/standin/node/settings.ts) are given as --set name=value and changed over the control server.
import { parseArgs } from 'node:util';
import { StandinNode } from './node/node.ts';
import { DEFAULTS, type Settings } from './node/settings.ts';

const { values } = parseArgs({
  options: {
    id: { type: 'string', default: 'standin' },
    count: { type: 'string', default: '1' },
    sip: { type: 'string', default: '127.0.0.1:0' },
    esl: { type: 'string', default: '127.0.0.1:0' },
    control: { type: 'string' },
    password: { type: 'string', default: 'standin' },
    max: { type: 'string' },
    heartbeat: { type: 'string', default: '20' },
    set: { type: 'string', multiple: true, default: [] },
    'no-tcp': { type: 'boolean', default: false },
  },
});

function address(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port)) throw new Error(`not host:port: ${text}`);
  return { host: text.slice(0, colon), port };
}

function setting(text: string): [string, string | number | boolean] {
  const equals = text.indexOf('=');
  const name = text.slice(0, equals);
  const value = text.slice(equals + 1);
  const fallback = DEFAULTS[name as keyof Settings];
  if (typeof fallback === 'number') return [name, Number(value)];
  return [name, typeof fallback === 'boolean' ? value === 'true' : value];
}

/** Loaded only when asked for: HTTP is a third of what a node costs to start. */
async function openControl(text: string, nodes: StandinNode[]) {
  const { ControlServer } = await import('./control.ts');
  return ControlServer.open(address(text), nodes);
}

async function run(): Promise<void> {
  const count = Number(values.count);
  const patch: Record<string, unknown> = Object.fromEntries(values.set.map(setting));
  if (values.max !== undefined) patch.max = Number(values.max);
  const at = (text: string, index: number) => {
    const { host, port } = address(text);
    return { host, port: port === 0 ? 0 : port + index };
  };
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      StandinNode.start({
        id: count === 1 ? values.id : `${values.id}-${index + 1}`,
        sip: at(values.sip, index),
        esl: at(values.esl, index),
        tcp: !values['no-tcp'],
        password: values.password,
        heartbeatS: Number(values.heartbeat),
        settings: patch as Partial<Settings>,
      }),
    ),
  );
  const control = values.control ? await openControl(values.control, nodes) : undefined;
  let running = nodes.length;
  const stopped = () => {
    if (--running > 0) return;
    control?.close();
    process.exit(0);
  };
  for (const node of nodes) node.onStopped = stopped;
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => nodes.map((node) => node.stop()));
  const list = nodes.map((node) => ({
    id: node.id,
    sip: node.sip,
    esl: node.eslAddress,
    core_uuid: node.coreUuid,
  }));
  const ready = { msg: 'ready', ...list[0], ...(control ? { control: control.address } : {}), nodes: list };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

run().catch((error: Error) => {
  process.stderr.write(`standin: ${error.message}\n`);
  process.exit(1);
});
