{{/*
  A door's local file (kamailio/params/knobs.cfg); args: ctx, name, edge. The image's start puts the environment into
  it: secrets and addresses are in no ConfigMap.
*/}}
{{- define "callmesh.edgeFile" -}}
{{- $ports := include "callmesh.shiftedPorts" .edge | fromYaml -}}
{{- $own := .edge.ports -}}
{{- $lines := list "EDGE_ID \"${POD_NAME}\"" -}}
{{- if eq .edge.door "kama-wss" -}}
{{- $lines = append $lines (printf "SIP_LISTEN udp:${POD_IP}:%v" $own.sip) -}}
{{- $lines = append $lines (printf "INSIDE_ADDRESS \"${POD_IP}:%v\"" $own.sip) -}}
{{- $lines = append $lines (printf "SIP_LISTEN_2 tcp:${POD_IP}:%v%s" $own.agents (include "callmesh.advertise" (dict "edge" .edge "port" $own.agents))) -}}
{{- $lines = append $lines (printf "SIP_LISTEN_3 udp:${POD_IP}:%v%s" $own.agents (include "callmesh.advertise" (dict "edge" .edge "port" $own.agents))) -}}
{{- else -}}
{{- $lines = append $lines (printf "SIP_LISTEN udp:${POD_IP}:%v%s" $own.sip (include "callmesh.advertise" (dict "edge" .edge "port" $own.sip))) -}}
{{- $lines = append $lines (printf "SIP_LISTEN_2 tcp:${POD_IP}:%v%s" $own.sip (include "callmesh.advertise" (dict "edge" .edge "port" $own.sip))) -}}
{{- end -}}
{{- if .edge.tlsSecret -}}
{{- $lines = append $lines (printf "SIP_LISTEN_4 tls:${POD_IP}:%v%s" $own.tls (include "callmesh.advertise" (dict "edge" .edge "port" $own.tls))) -}}
{{- $lines = append $lines "TLS_CONFIG \"/etc/callmesh/edge/tls.cfg\"" -}}
{{- end -}}
{{- $lines = append $lines (printf "METRICS_LISTEN tcp:${POD_IP}:%v" $ports.kamailioMetrics) -}}
{{- $lines = append $lines (printf "METRICS_PORT %v" $ports.kamailioMetrics) -}}
{{- $lines = append $lines "EDGE_SECRET \"${EDGE_SECRET}\"" -}}
{{- $lines = append $lines "POLICY_TOKEN \"${CALLMESH_TOKEN}\"" -}}
{{- $lines = append $lines "RPC_FIFO \"/run/callmesh/rpc/fifo\"" -}}
{{- $lines = append $lines "RPC_REPLY_DIR \"/run/callmesh/rpc/\"" -}}
{{- $lines = append $lines "DISPATCHER_LIST \"/run/callmesh/dispatcher.list\"" -}}
{{- $lines = append $lines "ADDRESS_LIST \"/run/callmesh/address.list\"" -}}
{{- with include "callmesh.rtpengineSockets" .ctx -}}
{{- $lines = append $lines (printf "RTPENGINE_SOCK %s" (quote .)) -}}
{{- $lines = append $lines (printf "RTPENGINE_AGAIN %s" (printf "1 == %s" . | quote)) -}}
{{- end -}}
{{- range $knob, $value := .edge.knobs -}}
{{- $lines = append $lines (printf "%s %s" $knob (toString $value)) -}}
{{- end -}}
#!KAMAILIO
{{- range $lines }}
#!define {{ . }}
{{- end }}
include_file "/opt/callmesh/kamailio/{{ .edge.door }}.cfg"
{{- end }}

{{/* Args: edge, port. */}}
{{- define "callmesh.advertise" -}}
{{- with .edge.advertise }} advertise {{ . }}:{{ $.port }}{{ end -}}
{{- end }}

{{/* Control addresses of all media relays, blanks between. */}}
{{- define "callmesh.rtpengineSockets" -}}
{{- $port := (include "callmesh.ports" . | fromYaml).rtpengineControl -}}
{{- $sockets := .Values.rtpengine.addresses -}}
{{- if not $sockets -}}
{{- range until (int .Values.rtpengine.replicas) -}}
{{- $sockets = append $sockets (printf "udp:%s-rtpengine-%d:%v" (include "callmesh.fullname" $) . $port) -}}
{{- end -}}
{{- end -}}
{{- join " " $sockets -}}
{{- end }}

{{/* Kamailio itself; args: ctx, edge. */}}
{{- define "callmesh.kamailioContainer" -}}
{{- $ports := include "callmesh.shiftedPorts" .edge | fromYaml -}}
- name: kamailio
  {{- include "callmesh.image" (dict "ctx" .ctx "image" .ctx.Values.kamailio.image) | nindent 2 }}
  env:
    - name: POD_NAME
      valueFrom: { fieldRef: { fieldPath: metadata.name } }
    - name: POD_IP
      valueFrom: { fieldRef: { fieldPath: status.podIP } }
    - name: CALLMESH_TOKEN
      valueFrom: { secretKeyRef: { name: {{ .ctx.Values.existingSecret }}, key: token } }
    - name: EDGE_SECRET
      valueFrom: { secretKeyRef: { name: {{ .ctx.Values.existingSecret }}, key: edge-secret } }
    - { name: SHARED_MEMORY_MB, value: {{ .edge.sharedMemory | quote }} }
  ports:
    - { name: sip, containerPort: {{ .edge.ports.sip }}, protocol: UDP }
    {{- if eq .edge.door "kama-wss" }}
    - { name: agents, containerPort: {{ .edge.ports.agents }}, protocol: UDP }
    - { name: agents-tcp, containerPort: {{ .edge.ports.agents }} }
    {{- else }}
    - { name: sip-tcp, containerPort: {{ .edge.ports.sip }} }
    {{- end }}
    {{- if .edge.tlsSecret }}
    - { name: tls, containerPort: {{ .edge.ports.tls }} }
    {{- end }}
    - { name: kam-metrics, containerPort: {{ $ports.kamailioMetrics }} }
  startupProbe:
    httpGet: { path: /health, port: kam-metrics }
    periodSeconds: 2
    failureThreshold: 30
  readinessProbe:
    httpGet: { path: /health, port: kam-metrics }
    periodSeconds: 5
    timeoutSeconds: 2
  livenessProbe:
    httpGet: { path: /health, port: kam-metrics }
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  lifecycle:
    # No new connections by then; a dialog is served by any other door.
    preStop: { exec: { command: [sleep, {{ .edge.stopSeconds | quote }}] } }
  resources: {{- toYaml .edge.resources | nindent 4 }}
  {{- include "callmesh.containerSecurity" .ctx | nindent 2 }}
  volumeMounts:
    - { name: edge, mountPath: /etc/callmesh/edge, readOnly: true }
    - { name: run, mountPath: /run/callmesh }
    - { name: tmp, mountPath: /tmp }
    {{- if .edge.tlsSecret }}
    - { name: door-tls, mountPath: /etc/callmesh/door-tls, readOnly: true }
    {{- end }}
{{- end }}

{{/* What its agent is told; args: ctx, edge. */}}
{{- define "callmesh.edgeAgentConfig" -}}
{{- $node := dict "id" "${POD_NAME}" "role" .edge.door "sip_uri" (printf "sip:${POD_IP}:%v;transport=udp" .edge.ports.sip) -}}
{{- $backend := dict "kind" "kamailio" "fifo" "/run/callmesh/rpc/fifo" "reply_dir" "/run/callmesh/rpc/"
  "dispatcher_list" "/run/callmesh/dispatcher.list" "address_list" "/run/callmesh/address.list" -}}
{{- include "callmesh.agentConfig" (dict "ctx" .ctx "entry" .edge "node" $node "backend" $backend) -}}
{{- end }}
