{{/* Who is the mesh: this release's pods, and the hosts of those on the host's network. */}}
{{- define "callmesh.meshPeers" -}}
- podSelector:
    matchLabels: { app.kubernetes.io/name: callmesh, app.kubernetes.io/instance: {{ .Release.Name }} }
{{- $hosts := and .Values.rtpengine.hostNetwork (gt (int .Values.rtpengine.replicas) 0) -}}
{{- $root := . -}}
{{- range $name, $_ := .Values.nodes -}}
{{- if (include "callmesh.node" (dict "ctx" $root "name" $name) | fromYaml).hostNetwork }}{{ $hosts = true }}{{ end -}}
{{- end -}}
{{- range $name, $_ := .Values.edges -}}
{{- if (include "callmesh.edge" (dict "ctx" $root "name" $name) | fromYaml).hostNetwork }}{{ $hosts = true }}{{ end -}}
{{- end -}}
{{- if $hosts }}
{{ include "callmesh.blocks" .Values.network.peers }}
{{- end }}
{{- end }}

{{/* What pods of the mesh ask each other at. */}}
{{- define "callmesh.meshPorts" -}}
{{- $root := . -}}
{{- $ports := include "callmesh.ports" . | fromYaml -}}
{{- $tcp := list $ports.grpc $ports.api -}}
{{- range $name, $_ := .Values.nodes -}}
{{- $tcp = append $tcp (include "callmesh.shiftedPorts" (include "callmesh.node" (dict "ctx" $root "name" $name) | fromYaml) | fromYaml).agentGrpc -}}
{{- end -}}
{{- range $name, $_ := .Values.edges -}}
{{- $tcp = append $tcp (include "callmesh.shiftedPorts" (include "callmesh.edge" (dict "ctx" $root "name" $name) | fromYaml) | fromYaml).agentGrpc -}}
{{- end -}}
{{- range $store := list "etcd" "nats" "postgresql" -}}
{{- if (index $root.Values $store).bundled }}{{ $tcp = append $tcp (index $ports $store) }}{{ end -}}
{{- end -}}
{{- range uniq $tcp }}
- { port: {{ . }}, protocol: TCP }
{{- end }}
{{- end }}

{{/* Where nodes and doors take SIP within the mesh. */}}
{{- define "callmesh.sipPorts" -}}
{{- $root := . -}}
{{- $sip := list -}}
{{- range $name, $_ := .Values.nodes -}}
{{- $sip = append $sip (int (include "callmesh.node" (dict "ctx" $root "name" $name) | fromYaml).sipPort) -}}
{{- end -}}
{{- range $name, $_ := .Values.edges -}}
{{- $sip = append $sip (int (include "callmesh.edge" (dict "ctx" $root "name" $name) | fromYaml).ports.sip) -}}
{{- end -}}
{{- range uniq $sip }}
{{ include "callmesh.both" . | trim }}
{{- end }}
{{- end }}

{{/* Args: a list of CIDRs. */}}
{{- define "callmesh.blocks" -}}
{{- range . }}
- ipBlock: { cidr: {{ . }} }
{{- end }}
{{- end }}

{{/* Args: a port, over UDP and TCP. */}}
{{- define "callmesh.both" -}}
- { port: {{ . }}, protocol: UDP }
- { port: {{ . }}, protocol: TCP }
{{- end }}

{{/* Ports of what is elsewhere: stores by address, a collector. */}}
{{- define "callmesh.outsidePorts" -}}
{{- $urls := list -}}
{{- if not .Values.etcd.bundled }}{{ $urls = concat $urls .Values.etcd.endpoints }}{{ end -}}
{{- if not .Values.nats.bundled }}{{ $urls = concat $urls .Values.nats.servers }}{{ end -}}
{{- with .Values.telemetry.otlpEndpoint }}{{ $urls = append $urls . }}{{ end -}}
{{- $found := list -}}
{{- range $urls -}}
{{- $found = append $found (regexFind "[0-9]+$" (urlParse .).host | default (eq (urlParse .).scheme "https" | ternary "443" "80")) -}}
{{- end -}}
{{- if .Values.postgresql.external }}{{ $found = append $found (toString .Values.postgresql.port) }}{{ end -}}
{{- range $found | uniq | sortAlpha }}
- {{ . }}
{{- end -}}
{{- end }}

{{/*
  Args: ctx, component, name?, rules, anywhere? (may send wherever it must: SIP and media of parties outside), to? (may
  send there beside the mesh's own ports).
*/}}
{{- define "callmesh.policy" -}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "callmesh.fullname" .ctx }}-{{ .name | default .component }}
  labels: {{- include "callmesh.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "callmesh.selector" . | nindent 6 }}
  policyTypes: [Ingress{{ if or .anywhere .to }}, Egress{{ end }}]
  ingress:
    {{- range .rules }}
    {{- if .from }}
    - from: {{- toYaml .from | nindent 8 }}
      ports:
        {{- range .ports }}
        - {{ merge (deepCopy .) (dict "protocol" "TCP") | toJson }}
        {{- end }}
    {{- end }}
    {{- end }}
  {{- if .anywhere }}
  egress: [{}]
  {{- else if .to }}
  egress: {{- toYaml .to | nindent 4 }}
  {{- end }}
{{- end }}
