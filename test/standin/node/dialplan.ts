import type { CallLeg } from './call.ts';
import type { StandinNode } from './node.ts';

export interface Action {
  application: string;
  data: string;
}

/** What is left when nobody answers, as freeswitch/common/refuse.xml says. */
const NOBODY_KNOWS = [{ application: 'respond', data: '503 Nobody Knows Where' }];

/** Runs what the dialplan says for a call that came in: the built-in one, or what mod_xml_curl's URL answers. */
export async function routeInbound(node: StandinNode, leg: CallLeg): Promise<void> {
  const { channel } = leg;
  const actions = await findActions(node, leg);
  if (!channel.alive) return;
  if (actions && actions.length > 0) await leg.begin(actions);
  else channel.hangup('NO_ROUTE_DESTINATION');
}

/** The actions for a call that came in; undefined when no extension matches. */
export async function findActions(node: StandinNode, leg: CallLeg): Promise<Action[] | undefined> {
  const { settings } = node;
  if (settings.dialplanUrl) {
    // Loaded only where it is used: the XML parser is most of a stand-in's code.
    const { fetchDialplan } = await import('./xmlcurl.ts');
    const found = await fetchDialplan(node, leg);
    return found ?? (settings.context === 'mesh' ? NOBODY_KNOWS : undefined);
  }
  if (settings.bridgeTo) {
    const number = leg.channel.profile.destination;
    return [
      { application: 'set', data: 'hangup_after_bridge=true' },
      { application: 'bridge', data: `sofia/internal/${number}@${settings.bridgeTo}` },
    ];
  }
  const park = { application: 'park', data: '' };
  const limit = { application: 'set', data: `park_timeout=${settings.parkS}:NORMAL_TEMPORARY_FAILURE` };
  if (settings.parkS > 0 && leg.channel.variables.has('sip_h_X-Callmesh-Session')) return [limit, park];
  return [{ application: 'answer', data: '' }, park];
}
