import { Uac } from '@callmesh/standin/uac';
import type { Mesh } from '../src/mesh.ts';
import { LOGINS } from './scenario.ts';

/** One agent's phone at the agents' door, and the call to the other's: what became of each. */
export interface AgentsCall {
  readonly registered: number;
  readonly answered: boolean;
}

/** Two agents register at their door, over UDP, and one calls the other's extension. */
export async function agentsCall(mesh: Mesh): Promise<AgentsCall> {
  const [alice, bob] = LOGINS;
  const { sip: proxy } = mesh.door();
  const phones = await Promise.all(
    LOGINS.map(async ({ agent, password }, index) => {
      const [user = ''] = agent.split('@');
      const uac = await Uac.open({ host: `127.0.2.${20 + index}`, user });
      const credentials = { username: user, password };
      const { status } = await uac.register({ proxy, aor: `sip:${agent}`, credentials });
      return { uac, credentials, registered: status === 200 };
    }),
  );
  try {
    const [{ uac, credentials }] = phones as [(typeof phones)[number]];
    const to = `sip:${bob.extension}@${bob.agent.split('@')[1]}`;
    const call = uac.call({ proxy, to, from: `sip:${alice.agent}`, credentials });
    const answered = (await call.outcome).status === 200 && (await call.bye()).status === 200;
    return { registered: phones.filter(({ registered }) => registered).length, answered };
  } finally {
    for (const { uac } of phones) uac.close();
  }
}
