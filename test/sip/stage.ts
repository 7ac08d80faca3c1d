import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { FakePolicy } from './fake-policy.ts';
import { Kamailio, type Knobs } from './kamailio.ts';
import { fakeNode, type NodeBehaviour } from './node.ts';
import { SipPeer } from './peer.ts';

/** What most tests stand on: one edge and one policy per file, and parties that end with each test. */
export interface Stage {
  readonly edge: Kamailio;
  readonly policy: FakePolicy;
  /** The PBX of this test, at 127.0.0.2. */
  readonly pbx: SipPeer;
  /** A node the edge knows. */
  node(behaviour?: NodeBehaviour): Promise<SipPeer>;
  /** Anybody else, at any address of 127.0.0.0/8. */
  party(address: string): Promise<SipPeer>;
}

/** Registers the hooks of one `describe`; the stage is filled when they run. */
export function stage(knobs: () => Knobs | Promise<Knobs> = () => ({})): Stage {
  const open: SipPeer[] = [];
  const keep = (peer: SipPeer) => {
    open.push(peer);
    return peer;
  };
  const it = {} as { -readonly [K in keyof Stage]: Stage[K] };
  it.party = async (address) => keep(await SipPeer.open(address));
  it.node = async (behaviour) => {
    const peer = keep(await fakeNode(behaviour));
    await it.edge.nodes([peer.key]);
    return peer;
  };
  beforeAll(async () => {
    it.edge = await Kamailio.start(await knobs());
    it.policy = await FakePolicy.start();
  });
  afterAll(async () => {
    await it.edge?.stop();
    await it.policy?.stop();
  });
  beforeEach(async () => {
    it.policy.questions.length = 0;
    it.policy.audits.length = 0;
    it.policy.probeScript = undefined;
    await it.edge.policies([it.policy.url]);
    it.pbx = await it.party('127.0.0.2');
  });
  afterEach(() => {
    for (const peer of open.splice(0)) peer.close();
  });
  return it;
}
