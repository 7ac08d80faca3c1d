import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface MinimalSpec {
  /** Folder that gets the configuration and everything FreeSWITCH writes. */
  readonly dir: string;
  readonly name: string;
  readonly sipPort: number;
  readonly eslPort: number;
  readonly eslPassword: string;
  /** First of 200 UDP ports for media. */
  readonly rtpPort: number;
  readonly maxSessions: number;
}

const MODULES = [
  'console',
  'logfile',
  'event_socket',
  'sofia',
  'commands',
  'dptools',
  'dialplan_xml',
  'tone_stream',
];

/** Calls to 1000 are answered and stay; calls to bridge-<port> go on to that port as a second leg. */
const DIALPLAN = `<context name="default">
  <extension name="answering">
    <condition field="destination_number" expression="^1000$">
      <action application="answer"/>
      <action application="park"/>
    </condition>
  </extension>
  <extension name="bridging">
    <condition field="destination_number" expression="^bridge-(\\d+)$">
      <action application="set" data="hangup_after_bridge=true"/>
      <action application="bridge" data="sofia/internal/callee@127.0.0.1:$1"/>
    </condition>
  </extension>
</context>`;

const params = (values: Record<string, string | number>) =>
  Object.entries(values)
    .map(([name, value]) => `<param name="${name}" value="${value}"/>`)
    .join('\n');

/** A FreeSWITCH with the modules a test of its event socket needs, on loopback alone; returns its arguments. */
export function writeMinimal(spec: MinimalSpec): string[] {
  const folders = ['conf', 'log', 'db', 'run', 'storage', 'recordings', 'cache', 'temp'];
  for (const folder of folders) mkdirSync(join(spec.dir, folder), { recursive: true, mode: 0o700 });
  writeFileSync(join(spec.dir, 'conf', 'freeswitch.xml'), document(spec), { mode: 0o600 });
  const places = folders.flatMap((folder) => [`-${folder}`, join(spec.dir, folder)]);
  // -np: as root FreeSWITCH would make itself a real-time process.
  return ['-nonat', '-nf', '-nc', '-np', ...places];
}

function document(spec: MinimalSpec): string {
  return `<?xml version="1.0"?>
<document type="freeswitch/xml">
<section name="configuration">
<configuration name="modules.conf"><modules>
${MODULES.map((module) => `<load module="mod_${module}"/>`).join('\n')}
</modules></configuration>
<configuration name="switch.conf"><settings>
${params({
  switchname: spec.name,
  'max-sessions': spec.maxSessions,
  'sessions-per-second': 100,
  'event-heartbeat-interval': 1,
  'rtp-start-port': spec.rtpPort,
  'rtp-end-port': spec.rtpPort + 199,
  loglevel: 'warning',
})}
</settings></configuration>
<configuration name="logfile.conf"><settings/><profiles><profile name="default"><settings/>
<mappings><map name="all" value="warning,err,crit,alert"/></mappings></profile></profiles></configuration>
<configuration name="console.conf"><mappings><map name="all" value="warning,err,crit,alert"/></mappings></configuration>
<configuration name="acl.conf"><network-lists><list name="esl" default="deny">
<node type="allow" cidr="127.0.0.1/32"/></list></network-lists></configuration>
<configuration name="event_socket.conf"><settings>
${params({
  'nat-map': 'false',
  'listen-ip': '127.0.0.1',
  'listen-port': spec.eslPort,
  password: spec.eslPassword,
  'apply-inbound-acl': 'esl',
  'stop-on-bind-error': 'true',
})}
</settings></configuration>
<configuration name="sofia.conf"><global_settings/><profiles><profile name="internal"><settings>
${params({
  'auth-calls': 'false',
  dialplan: 'XML',
  context: 'default',
  'inbound-codec-prefs': 'PCMU,PCMA',
  'outbound-codec-prefs': 'PCMU,PCMA',
  'rtp-ip': '127.0.0.1',
  'sip-ip': '127.0.0.1',
  'sip-port': spec.sipPort,
  'rtp-timer-name': 'soft',
  'manage-presence': 'false',
  'sip-options-respond-503-on-busy': 'true',
})}
</settings></profile></profiles></configuration>
</section>
<section name="dialplan">${DIALPLAN}</section>
<section name="directory"/>
</document>
`;
}
