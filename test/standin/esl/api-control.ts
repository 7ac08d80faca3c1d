import type { StandinNode } from '../node/node.ts';

const USAGE =
  '-ERR Invalid command\nUSAGE: fsctl [api_expansion [on|off]|recover|send_sighup|hupall|pause [inbound|outbound]|resume [inbound|outbound]|shutdown [cancel|elegant|asap|now|restart]|uuid_version [4|7]|sps|sps_peak_reset|sync_clock|sync_clock_when_idle|reclaim_mem|max_sessions|min_dtmf_duration [num]|max_dtmf_duration [num]|default_dtmf_duration [num]|min_idle_cpu|loglevel [level]|debug_level [level]|mdns_resolve [enable|disable]]\n';

/** `fsctl`, as far as draining, pausing and stopping go. */
export function control(node: StandinNode, argument: string): string {
  const [command = '', which = ''] = argument.toLowerCase().split(/\s+/);
  switch (command) {
    case 'pause':
    case 'resume': {
      const paused = command === 'pause';
      if (which !== 'outbound') node.set({ pausedInbound: paused });
      if (which !== 'inbound') node.set({ pausedOutbound: paused });
      return '+OK\n';
    }
    case 'pause_check': {
      const { pausedInbound, pausedOutbound } = node.settings;
      if (which === 'inbound') return String(pausedInbound);
      if (which === 'outbound') return String(pausedOutbound);
      return String(pausedInbound && pausedOutbound);
    }
    case 'ready_check':
      return String(!(node.settings.pausedInbound && node.settings.pausedOutbound));
    case 'shutdown_check':
      return 'false';
    case 'shutdown':
      if (which !== 'cancel') setImmediate(() => void node.stop(which === 'elegant'));
      return '+OK\n';
    case 'hupall':
      node.hangupAll('MANAGER_REQUEST');
      return '+OK\n';
    case 'max_sessions': {
      const wanted = Number.parseInt(which, 10);
      if (wanted > 0) node.set({ max: wanted });
      return `+OK max sessions: ${node.settings.max || 1000}\n`;
    }
    case 'last_sps':
      return `+OK last sessions per second: ${node.counter.lastSecond()}\n`;
    case 'sps':
      return '+OK sessions per second: 30\n';
    case 'min_idle_cpu':
      return '+OK min idle cpu: DISABLED\n';
    case 'loglevel':
      return '+OK log level: NOTICE [5]\n';
    case 'sync_clock':
      return '+OK clock synchronized\n';
    default:
      return USAGE;
  }
}
