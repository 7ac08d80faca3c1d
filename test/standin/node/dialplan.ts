import type { CallLeg } from './call.ts';
import type { StandinNode } from './node.ts';

export interface Action {
  application: string;
  data: string;
}

/** The actions for a call that came in; undefined when no extension matches. */
export async function findActions(node: StandinNode, leg: CallLeg): Promise<Action[] | undefined> {
  const { settings } = node;
  if (settings.dialplanUrl) {
    // Loaded only where it is used: the XML parser is most of a stand-in's code.
    const { fetchDialplan } = await import('./xmlcurl.ts');
    return fetchDialplan(node, leg);
  }
  if (settings.bridgeTo) {
    const number = leg.channel.profile.destination;
    return [
      { application: 'set', data: 'hangup_after_bridge=true' },
      { application: 'bridge', data: `sofia/internal/${number}@${settings.bridgeTo}` },
    ];
  }
  return [
    { application: 'answer', data: '' },
    { application: 'park', data: '' },
  ];
}
