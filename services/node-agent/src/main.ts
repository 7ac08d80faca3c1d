import { NodeAgentServiceService } from '@callmesh/proto/node';
import {
  Etcd,
  grpcServer,
  Nats,
  registerEtcdResolver,
  roleOf,
  runService,
  serviceRegistration,
} from '@callmesh/runtime';
import { agentMetrics } from './adapters/metrics.ts';
import { freeSwitchAgent, kamailioAgent } from './agents.ts';
import { type AgentConfig, configSchema } from './config.ts';
import { type Identity, nodeOf } from './domain/identity.ts';
import { statusService } from './handlers/status.ts';

await runService('node-agent', configSchema, async (app, config) => {
  const { backend, services } = config;
  const identity = identityOf(config);
  const etcd = app.add(new Etcd(app, config.etcd));
  registerEtcdResolver(etcd);
  const nats = app.add(new Nats(app, config.nats));
  const wiring = { app, etcd, nats, identity, stateDir: config.state_dir };
  const view =
    backend.kind === 'freeswitch'
      ? await freeSwitchAgent(wiring, backend, services)
      : await kamailioAgent(wiring, backend, services);
  agentMetrics(app, identity, view);
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
