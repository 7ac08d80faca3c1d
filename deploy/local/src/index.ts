export { freeswitchApi, freeswitchBinary, freeswitchNode } from './freeswitch.ts';
export { type Edge, type EdgeRole, type EdgeSpec, kamailioEdge } from './kamailio.ts';
export { Mesh } from './mesh.ts';
export { ROOT } from './paths.ts';
export { freePort } from './ports.ts';
export { eventually, Process, type ProcessSpec } from './process.ts';
export { etcdServer, listening, natsServer, rtpengineServer, type Server } from './servers.ts';
export type { MeshNode, MeshSpec, NodeSpec } from './spec.ts';
