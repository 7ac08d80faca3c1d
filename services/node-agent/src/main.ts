import { NodeAgentServiceService } from '@callmesh/proto/node';
import {
  type App,
  CallPublisher,
  Etcd,
  grpcServer,
  Nats,
  registerEtcdResolver,
  roleOf,
  runService,
  serviceRegistration,
} from '@callmesh/runtime';
import { Announcer } from './adapters/announcer.ts';
import { FreeSwitch } from './adapters/freeswitch/freeswitch.ts';
import { LoadPublisher, type LoadSource } from './adapters/load-publisher.ts';
import { type AgentConfig, configSchema, type FreeSwitchConfig } from './config.ts';
import { type Identity, nodeOf } from './domain/identity.ts';
import { type AgentView, statusService } from './handlers/status.ts';

await runService('node-agent', configSchema, (app, config) => {
  const identity = identityOf(config);
  const etcd = app.add(new Etcd(app, config.etcd));
  registerEtcdResolver(etcd);
  const nats = app.add(new Nats(app, config.nats));
  const announcer = app.add(new Announcer(app, etcd, nats));
  const view = freeSwitchAgent(app, identity, config.backend as FreeSwitchConfig, nats, announcer);
  const configured = nodeOf(identity, { epoch: '', version: '', maxSessions: 0 });
  const grpc = app.add(
    grpcServer(app, config.grpc, [[NodeAgentServiceService, statusService(view, configured)]]),
  );
  app.add(serviceRegistration(app, etcd, 'node-agent', () => grpc.address));
});

function identityOf({ node }: AgentConfig): Identity {
  return {
    id: node.id,
    role: roleOf(node.role),
    group: node.group,
    sipUri: node.sip_uri,
    sipSources: node.sip_sources,
    zone: node.zone,
    weight: node.weight,
    maxSessions: node.max_sessions,
  };
}

function freeSwitchAgent(
  app: App,
  identity: Identity,
  backend: FreeSwitchConfig,
  nats: Nats,
  announcer: Announcer,
): () => AgentView {
  const calls = app.add(new CallPublisher(app, nats));
  const freeswitch = new FreeSwitch(app, identity, backend.esl, {
    announcer,
    calls,
    onLoad: (now) => (now ? load.flush() : load.kick()),
  });
  const load: LoadPublisher = new LoadPublisher(nats, freeswitch);
  app.add(load);
  app.add(freeswitch);
  return () => ({
    node: freeswitch.node,
    load: load.last,
    registered: announcer.registered,
    reconnects: freeswitch.reconnects,
    fallbackDestinations: 0,
  });
}
