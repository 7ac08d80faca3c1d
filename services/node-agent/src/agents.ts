import { join } from 'node:path';
import { NodeRole } from '@callmesh/proto/node';
import { type App, CallPublisher, type Etcd, type Nats } from '@callmesh/runtime';
import { Announcer } from './adapters/announcer.ts';
import type { Attendant } from './adapters/freeswitch/attendant.ts';
import { CarrierTrunks } from './adapters/freeswitch/carrier-trunks.ts';
import { Commander } from './adapters/freeswitch/commander.ts';
import { FreeSwitch } from './adapters/freeswitch/freeswitch.ts';
import { Registrations } from './adapters/freeswitch/registrations.ts';
import { Waits } from './adapters/freeswitch/waits.ts';
import { Kamailio } from './adapters/kamailio/kamailio.ts';
import { Knowledge } from './adapters/kamailio/knowledge.ts';
import { Mirror } from './adapters/kamailio/mirror.ts';
import { KamailioRpc } from './adapters/kamailio/rpc.ts';
import { LoadPublisher } from './adapters/load-publisher.ts';
import { EtcdSource } from './adapters/sources/etcd-source.ts';
import { TenantSource } from './adapters/sources/tenant-source.ts';
import { xmlEndpoint } from './adapters/xml/endpoint.ts';
import { PolicyAnswers } from './adapters/xml/policy-answers.ts';
import type { AgentConfig, FreeSwitchConfig, KamailioConfig } from './config.ts';
import type { Identity } from './domain/identity.ts';
import { tablesOf } from './domain/kamailio/desired.ts';
import { Directory } from './domain/kamailio/directory.ts';
import { commandServer } from './handlers/commands.ts';
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
export function freeSwitchAgent(
  wiring: Wiring,
  backend: FreeSwitchConfig,
  services: AgentConfig['services'],
): () => AgentView {
  const { app, etcd, nats, identity, stateDir } = wiring;
  const announcer = app.add(new Announcer(app, etcd, nats));
  const calls = app.add(new CallPublisher(app, nats));
  const waits = new Waits();
  const freeswitch = new FreeSwitch(app, identity, backend.esl, join(stateDir, 'legs.json'), {
    announcer,
    calls,
    onLoad: (now) => (now ? load.flush() : load.kick()),
    attendants: [waits, ...meshSide(wiring, backend, services)],
  });
  const load: LoadPublisher = app.add(new LoadPublisher(nats, freeswitch));
  app.add(freeswitch);
  const commander = new Commander(freeswitch, waits, join(stateDir, 'commands.jsonl'));
  app.add(commandServer(app, nats, identity.id, commander));
  return () => ({
    node: freeswitch.node,
    load: load.last,
    registered: announcer.registered,
    reconnects: freeswitch.reconnects,
    fallbackDestinations: 0,
  });
}

/** What a FreeSWITCH asks of the mesh, and what the mesh is told of its registrations and trunks. */
function meshSide(
  { app, etcd, identity }: Wiring,
  backend: FreeSwitchConfig,
  services: AgentConfig['services'],
): Attendant[] {
  const nodes = app.add(new EtcdSource(app, etcd, [], () => {}));
  const tenants = app.add(
    new TenantSource(app, services.tenant_registry, new Directory(), () => trunks?.change()),
  );
  const isRole = (role: NodeRole) => identity.role === role;
  const trunks = isRole(NodeRole.NODE_ROLE_TANDEM)
    ? new CarrierTrunks(app, tenants, (trunkId) => backend.carriers[trunkId]?.password)
    : undefined;
  const registrations = isRole(NodeRole.NODE_ROLE_ROUTER)
    ? app.add(
        new Registrations(app, {
          routerId: identity.id,
          sessionCache: services.session_cache,
          tenants: () => tenants,
          nodes: () => nodes,
        }),
      )
    : undefined;
  if (backend.xml) {
    const policy = new PolicyAnswers(app, () => nodes.policies);
    const endpoint = app.add(
      xmlEndpoint({
        listen: backend.xml.listen,
        password: backend.esl.password,
        ask: (section, body) => policy.ask(section, body),
        carriers: () => trunks?.document,
      }),
    );
    app.addresses.xml = () => endpoint.address;
  }
  return [trunks, registrations].filter((attendant) => attendant !== undefined);
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
