{{/* Environment of a FreeSWITCH (docs/freeswitch.md); args: ctx, node. */}}
{{- define "callmesh.freeswitchEnv" -}}
{{- $ports := include "callmesh.shiftedPorts" .node | fromYaml -}}
{{- $set := dict
  "FS_SIP_PORT" .node.sipPort
  "FS_RTP_FIRST" .node.rtp.first
  "FS_RTP_LAST" .node.rtp.last
  "FS_PEERS" (join "," .ctx.Values.network.peers)
  "FS_ESL_PORT" $ports.esl
  "FS_XML_PORT" $ports.xml
  "FS_MAX_SESSIONS" .node.maxSessions
  "FS_SESSIONS_PER_SECOND" .node.sessionsPerSecond
  "FS_LOG_FILE" "/dev/stdout" -}}
{{- if eq .node.role "tandem" -}}
{{- $_ := set $set "FS_CARRIER_PORT" .node.carrierPort -}}
{{- with .node.carrierPublicAddress }}{{ $_ := set $set "FS_CARRIER_PUBLIC_ADDRESS" . }}{{ end -}}
{{- end -}}
- name: FS_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: FS_SIP_ADDRESS
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: FS_ESL_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ .ctx.Values.existingSecret }}, key: esl-password } }
- { name: RUN_DIR, value: /run/callmesh }
{{- range $variable, $value := merge (deepCopy .node.env) $set }}
- { name: {{ $variable }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end }}

{{/* FreeSWITCH itself; args: ctx, node. */}}
{{- define "callmesh.freeswitchContainer" -}}
- name: freeswitch
  {{- include "callmesh.image" (dict "ctx" .ctx "image" .ctx.Values.freeswitch.image) | nindent 2 }}
  command: {{ concat (list "sh" "/etc/callmesh/scripts/freeswitch-start.sh" .node.role) .ctx.Values.freeswitch.command | toJson }}
  env: {{- include "callmesh.freeswitchEnv" . | nindent 4 }}
  ports:
    - { name: sip, containerPort: {{ .node.sipPort }}, protocol: UDP }
    - { name: sip-tcp, containerPort: {{ .node.sipPort }} }
    {{- if eq .node.role "tandem" }}
    - { name: carriers, containerPort: {{ .node.carrierPort }}, protocol: UDP }
    - { name: carriers-tcp, containerPort: {{ .node.carrierPort }} }
    {{- end }}
  # Whether it takes calls is the mesh's to judge, by its agent: a probe alone never takes calls from a node.
  startupProbe:
    tcpSocket: { port: sip-tcp }
    periodSeconds: 2
    failureThreshold: 60
  readinessProbe:
    tcpSocket: { port: sip-tcp }
    periodSeconds: 5
  livenessProbe:
    tcpSocket: { port: sip-tcp }
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
    terminationGracePeriodSeconds: 5
  lifecycle:
    preStop: { exec: { command: [sh, /etc/callmesh/scripts/freeswitch-stop.sh] } }
  resources: {{- toYaml .node.resources | nindent 4 }}
  {{- include "callmesh.containerSecurity" .ctx | nindent 2 }}
  volumeMounts:
    - { name: freeswitch-common, mountPath: /etc/callmesh/freeswitch/common, readOnly: true }
    - { name: freeswitch-role, mountPath: /etc/callmesh/freeswitch/fs-{{ .node.role }}, readOnly: true }
    - { name: scripts, mountPath: /etc/callmesh/scripts, readOnly: true }
    - { name: freeswitch, mountPath: /var/lib/freeswitch }
    - { name: run, mountPath: /run/callmesh }
    - { name: tmp, mountPath: /tmp }
{{- end }}

{{/* What its agent is told; args: ctx, node, zone. */}}
{{- define "callmesh.freeswitchAgentConfig" -}}
{{- $ports := include "callmesh.shiftedPorts" .node | fromYaml -}}
{{- $carriers := dict -}}
{{- range $trunk, $_ := .node.carriers -}}
{{- $_ := set $carriers $trunk (dict "password" (printf "${%s}" (include "callmesh.carrierVariable" $trunk))) -}}
{{- end -}}
{{- $node := dict "id" "${POD_NAME}" "role" .node.role "group" .node.group "weight" .node.weight "max_sessions" .node.maxSessions
  "sip_uri" (printf "sip:${POD_IP}:%v;transport=udp" .node.sipPort) "zone" (.zone | default "") -}}
{{- $backend := dict "kind" "freeswitch" "esl" (dict "port" $ports.esl "password" "${ESL_PASSWORD}")
  "xml" (dict "listen" (printf "127.0.0.1:%v" $ports.xml)) "carriers" $carriers -}}
{{- include "callmesh.agentConfig" (dict "ctx" .ctx "entry" .node "node" $node "backend" $backend) -}}
{{- end }}
{{- define "callmesh.carrierVariable" -}}
CARRIER_{{ . | upper | replace "-" "_" }}
{{- end }}

{{/* The agent's own environment; args: ctx, node. */}}
{{- define "callmesh.freeswitchAgentEnv" -}}
- name: ESL_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ .ctx.Values.existingSecret }}, key: esl-password } }
- { name: ESL_PORT, value: {{ (include "callmesh.shiftedPorts" .node | fromYaml).esl | quote }} }
- { name: RUN_DIR, value: /run/callmesh }
{{- range $trunk, $secret := .node.carriers }}
- name: {{ include "callmesh.carrierVariable" $trunk }}
  valueFrom: { secretKeyRef: { name: {{ $secret.name }}, key: {{ $secret.key }} } }
{{- end }}
{{- end }}
