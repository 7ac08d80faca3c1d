import { join } from 'node:path';
import { NodeRole } from '@callmesh/proto/node';
import { type App, CallPublisher, type Etcd, type Nats, RecoveryStore } from '@callmesh/runtime';
import { Announcer } from './adapters/announcer.ts';
import type { Attendant } from './adapters/freeswitch/attendant.ts';
import { CarrierTrunks } from './adapters/freeswitch/carrier-trunks.ts';
import { Commander } from './adapters/freeswitch/commander.ts';
import { FreeSwitch } from './adapters/freeswitch/freeswitch.ts';
import { Goodbye } from './adapters/freeswitch/goodbye.ts';
import { Registrations } from './adapters/freeswitch/registrations.ts';
import { Waits } from './adapters/freeswitch/waits.ts';
import { Kamailio } from './adapters/kamailio/kamailio.ts';
import { Knowledge } from './adapters/kamailio/knowledge.ts';
import { Mirror } from './adapters/kamailio/mirror.ts';
import { KamailioRpc } from './adapters/kamailio/rpc.ts';
import { LoadPublisher } from './adapters/load-publisher.ts';
import { Heir } from './adapters/recovery/heir.ts';
import { legsLeft, Snapshots } from './adapters/recovery/snapshots.ts';
import { RegistrationOutbox } from './adapters/registration-outbox.ts';
import { EtcdSource } from './adapters/sources/etcd-source.ts';
import { TenantMemory } from './adapters/sources/tenant-memory.ts';
import { xmlEndpoint } from './adapters/xml/endpoint.ts';
import { PolicyAnswers } from './adapters/xml/policy-answers.ts';
import type { AgentConfig, FreeSwitchConfig, KamailioConfig } from './config.ts';
import type { Identity } from './domain/identity.ts';
import { tablesOf } from './domain/kamailio/desired.ts';
import { Doors } from './domain/registrations/doors.ts';
import { edgeOf } from './domain/registrations/edge.ts';
import { commandServer } from './handlers/commands.ts';
import { heirServer } from './handlers/heir.ts';
import type { AgentView } from './handlers/status.ts';

/** What both kinds of agent are wired from. */
export interface Wiring {
  readonly app: App;
  readonly etcd: Etcd;
  readonly nats: Nats;
  readonly identity: Identity;
  /** Folder for what must survive a restart. */
  readonly stateDir: string;
}

/** Wires the sidecar of a FreeSWITCH; returns its view of the node. */
export async function freeSwitchAgent(
  wiring: Wiring,
  backend: FreeSwitchConfig,
  services: AgentConfig['services'],
): Promise<() => AgentView> {
  const { app, etcd, nats, identity, stateDir } = wiring;
  const announcer = app.add(new Announcer(app, etcd, nats));
  const calls = app.add(new CallPublisher(app, nats));
  const waits = new Waits();
  const store = new RecoveryStore(nats);
  const snapshots = new Snapshots(app, identity.id, store, () => freeswitch);
  if (backend.takeover) app.add(snapshots);
  const freeswitch: FreeSwitch = new FreeSwitch(app, identity, backend.esl, join(stateDir, 'legs.jsonl'), {
    announcer,
    calls,
    onLoad: (now) => (now ? load.flush() : load.kick()),
    left: async (node) => (backend.takeover ? legsLeft(store, node) : new Set()),
    isGivenUp: async () => backend.takeover && (await snapshots.isGivenUp()),
    attendants: [
      waits,
      ...(backend.takeover ? [snapshots] : []),
      ...(await meshSide(wiring, backend, services)),
    ],
  });
  announcer.carries = () => freeswitch.legs().length > 0;
  const load: LoadPublisher = app.add(new LoadPublisher(nats, freeswitch));
  app.add(freeswitch);
  const commander = new Commander(freeswitch, waits, join(stateDir, 'commands.jsonl'));
  app.add(commandServer(app, nats, identity.id, commander));
  if (backend.takeover)
    app.add(heirServer(nats, identity.id, new Heir(app, freeswitch, store, (uuid) => snapshots.note(uuid))));
  // The last that is added is the first to drain: commands and events go on meanwhile.
  if (backend.on_stop === 'drain') app.add(new Goodbye(freeswitch));
  return () => ({
    node: freeswitch.node,
    load: load.last,
    registered: announcer.registered,
    reconnects: freeswitch.reconnects,
    fallbackDestinations: 0,
  });
}

/** What a FreeSWITCH asks of the mesh, and what the mesh is told of its registrations and trunks. */
async function meshSide(
  wiring: Wiring,
  backend: FreeSwitchConfig,
  services: AgentConfig['services'],
): Promise<Attendant[]> {
  const { app, etcd, identity } = wiring;
  const nodes = app.add(new EtcdSource(app, etcd, [], () => onNodes()));
  let onNodes = () => {};
  const trunks =
    identity.role === NodeRole.NODE_ROLE_TANDEM ? await carrierTrunks(wiring, backend, services) : undefined;
  if (backend.xml) {
    const policy = new PolicyAnswers(app, () => nodes.policies);
    const endpoint = app.add(
      xmlEndpoint({
        listen: backend.xml.listen,
        password: backend.esl.password,
        ask: (section, fields, body) => policy.ask({ role: identity.role, section, fields }, body),
        carriers: (fields) => trunks?.document(fields),
      }),
    );
    app.addresses.xml = () => endpoint.address;
  }
  if (trunks) return [trunks];
  if (identity.role !== NodeRole.NODE_ROLE_ROUTER) return [];
  const doors = new Doors();
  const kept = await registrations(wiring, services, nodes, doors);
  onNodes = () => {
    if (doors.see(nodes.view?.nodes.values())) kept.doorsChanged();
  };
  return [kept];
}

async function carrierTrunks(
  { app, stateDir }: Wiring,
  backend: FreeSwitchConfig,
  services: AgentConfig['services'],
): Promise<CarrierTrunks> {
  const tenants = await TenantMemory.open(app, services.tenant_registry, join(stateDir, 'tenants.json'), () =>
    trunks.change(),
  );
  const secretOf = (trunkId: string) => backend.carriers[trunkId]?.password;
  const trunks: CarrierTrunks = new CarrierTrunks(app, tenants, secretOf, join(stateDir, 'carriers.json'));
  app.add(tenants);
  return app.add(trunks);
}

async function registrations(
  { app, identity, stateDir }: Wiring,
  services: AgentConfig['services'],
  nodes: EtcdSource,
  doors: Doors,
): Promise<Registrations> {
  const file = join(stateDir, 'tenants.json');
  const tenants = app.add(await TenantMemory.open(app, services.tenant_registry, file, () => {}));
  const outbox = new RegistrationOutbox(app, identity.id, services.session_cache, {
    get known() {
      return tenants.known;
    },
    tenantOf: (aor) => tenants.directory.tenantByDomain(aor.slice(aor.lastIndexOf('@') + 1))?.id,
    edgeOf: (path) => edgeOf(path, nodes.view?.nodes.values() ?? []),
  });
  return app.add(new Registrations(app, app.add(outbox), doors));
}

/** Wires the sidecar of a Kamailio; returns its view of the edge. */
export async function kamailioAgent(
  { app, etcd, nats, identity }: Wiring,
  backend: KamailioConfig,
  services: AgentConfig['services'],
): Promise<() => AgentView> {
  const announcer = app.add(new Announcer(app, etcd, nats));
  const rpc = new KamailioRpc({ fifo: backend.fifo, replyDir: backend.reply_dir }, identity.id);
  const lists = {
    dispatcherList: backend.dispatcher_list,
    addressList: backend.address_list,
  };
  const mirror = new Mirror(rpc, lists, tablesOf(identity.role));
  const kamailio = new Kamailio(app, identity, {
    rpc,
    mirror,
    knowledge: () => knowledge,
    announcer,
    onLoad: (now) => (now ? load.flush() : load.kick()),
  });
  const targets = { state: services.state, tenantRegistry: services.tenant_registry };
  const knowledge: Knowledge = app.add(
    await Knowledge.open(app, etcd, targets, identity.role, () => kamailio.change()),
  );
  const load: LoadPublisher = app.add(new LoadPublisher(nats, kamailio));
  app.add(kamailio);
  return () => ({
    node: kamailio.node,
    load: load.last,
    registered: announcer.registered,
    reconnects: kamailio.restarts,
    fallbackDestinations: kamailio.destinations,
  });
}
