import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { agentsCall } from './demo/agents.ts';
import { callsInto, type DemoCall } from './demo/calls.ts';
import { demoSpec, LOGINS, pbxs } from './demo/scenario.ts';
import { callTable, nodeTable } from './demo/tables.ts';
import { AgentPage } from './src/agent-page.ts';
import { freeswitchBinary } from './src/freeswitch.ts';
import { Mesh } from './src/mesh.ts';
import { ROOT } from './src/paths.ts';
import { Steps } from './src/progress.ts';
import { installSystem } from './src/system.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const freeswitch = freeswitchBinary();
const dir = join(ROOT, '.state', 'demo');
const steps = new Steps(8);
let mesh: Mesh | undefined;
let page: AgentPage | undefined;
let stopping: Promise<void> | undefined;

/** Ends every process once, however often it is asked to. */
function stop(): Promise<void> {
  stopping ??= (async () => {
    steps.end();
    await page?.close();
    await mesh?.stop();
  })();
  return stopping;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, async () => {
    console.log('\nstopping ...');
    interrupted = true;
    if (mesh) await stop().then(() => process.exit(values.check ? 1 : 0));
  });
}
let interrupted = false;

async function run(): Promise<boolean> {
  steps.next('what Debian has to bring');
  await installSystem(steps.detail);
  rmSync(dir, { recursive: true, force: true });
  page = await AgentPage.open();
  const spec = demoSpec(freeswitch ? 'freeswitch' : 'standin', dir, page.origin);
  mesh = await Mesh.start({ ...spec, dir, progress: (what) => steps.next(what) });
  page.config = { server: mesh.door().ws };
  if (interrupted) return false;
  steps.next('two agents at their door');
  const agents = await agentsCall(mesh);
  steps.next('20 calls from two PBXs through Kamailio');
  const calls = await callsInto(mesh, pbxs(spec));
  steps.end();
  console.log(
    `\n${callTable(calls, { media: freeswitch !== undefined })}\n\n${nodeTable(await mesh.table())}\n`,
  );
  const completed = calls.filter((call) => call.ok).length;
  console.log(`${completed} of ${calls.length} calls completed on a node of their tenant's group`);
  console.log(
    `${agents.registered} of ${LOGINS.length} agents registered; one called the other${agents.answered ? '' : ' in vain'}`,
  );
  const heard = calls.filter(({ audio }) => audio.loud > 0);
  console.log(
    freeswitch
      ? `nodes are real FreeSWITCH servers (${freeswitch}); ${heard.length} calls heard a tone`
      : 'nodes are stand-ins (test/standin): they speak SIP and ESL as FreeSWITCH does, and pass audio on, but play none',
  );
  return (
    completed === calls.length &&
    agents.registered === LOGINS.length &&
    agents.answered &&
    (!freeswitch || calls.filter(hearsTone).every((call) => heard.includes(call)))
  );
}

/** Who comes to a conference first may be alone there; everything else the demo calls plays a tone. */
function hearsTone({ function: fn }: DemoCall): boolean {
  return fn !== 'conference';
}

function whatToLookAt(running: Mesh): void {
  const policy = running.service('policy-1').ready;
  const state = running.service('state-1').ready;
  const control = running.service('call-control-1').ready;
  console.log(`
callmesh is up.
  agents' page       ${LOGINS.map(({ agent }) => `${page!.origin}/?agent=${agent}`).join('\n                     ')}
                     password ${LOGINS[0].password}; extensions ${LOGINS.map(({ extension }) => extension).join(' and ')}, a tone at +4930100100, your own voice at 9196
  place a call       sipp -sf test/sip/scenarios/pbx.xml 127.0.0.1:${running.edge.sipPort} -i 127.0.2.1 -s +4930100100 -m 1 -d 3000
                     (sipp is in Debian's package sip-tester)
  console            http://${state.console}  token ${running.token}
  policy's API       http://${policy.api}/docs
  policy's health    http://${policy.http}/health
  node table (gRPC)  ${state.grpc}  callmesh.state.v1.StateService/ListNodes
  calls (gRPC)       ${control.grpc}  callmesh.control.v1.CallControlService: Originate, WatchEvents ...
  records (gRPC)     ${control.grpc}  callmesh.cdr.v1.CdrService/ListSessions
                     all with reflection; metadata "authorization: Bearer ${running.token}"
  Kamailio metrics   http://127.0.0.1:${running.edge.metricsPort}/metrics
  etcd, NATS         ${running.etcd.url}  ${running.nats.url}
  logs               ${running.dir}/*.log
Ctrl-C stops everything.`);
}

try {
  const good = await run();
  if (values.check) {
    await stop();
    process.exit(good ? 0 : 1);
  }
  whatToLookAt(mesh!);
} catch (error) {
  await stop();
  if (!interrupted) console.error(`\n${(error as Error).message}\nlogs: ${dir}`);
  process.exit(1);
}
