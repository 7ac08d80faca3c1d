{{/* What all services' configurations share, args: ctx, grpc, admin (ports). */}}
{{- define "callmesh.commonConfig" -}}
{{- $root := .ctx -}}
instance: ${POD_NAME}
log: { level: {{ $root.Values.logLevel }} }
grpc:
  listen: ${POD_IP}:{{ .grpc }}
  {{- if ne $root.Values.mtls.mode "none" }}
  tls: { cert: /etc/callmesh/tls/tls.crt, key: /etc/callmesh/tls/tls.key, ca: /etc/callmesh/tls/ca.crt }
  {{- end }}
http: { listen: "${POD_IP}:{{ .admin }}" }
etcd: { endpoints: {{ include "callmesh.etcdEndpoints" $root | fromJsonArray | toJson }} }
nats:
  servers: {{ include "callmesh.natsServers" $root | fromJsonArray | toJson }}
  replicas: {{ if $root.Values.nats.bundled }}1{{ else }}{{ $root.Values.nats.replicas }}{{ end }}
auth: { token: "${CALLMESH_TOKEN}" }
shutdown: { drain_s: {{ sub (int $root.Values.serviceGraceSeconds) 5 }} }
telemetry:
  trace_ratio: {{ $root.Values.telemetry.traceRatio }}
  {{- with $root.Values.telemetry.otlpEndpoint }}
  otlp: { endpoint: {{ . | quote }} }
  {{- end }}
state_dir: /var/lib/callmesh
{{- end }}

{{/* Args: ctx, port. */}}
{{- define "callmesh.consoleConfig" -}}
listen: ${POD_IP}:{{ .port }}
{{- if .ctx.Values.console.tlsSecret }}
tls: { cert: /etc/callmesh/console-tls/tls.crt, key: /etc/callmesh/console-tls/tls.key }
{{- end }}
operators:
{{- range $name, $operator := .ctx.Values.console.operators }}
  - { name: {{ $name }}, token: "${ {{- include "callmesh.operatorVariable" $name -}} }", numbers: {{ $operator.numbers | default false }} }
{{- end }}
{{- end }}
{{- define "callmesh.operatorVariable" -}}
OPERATOR_{{ . | upper | replace "-" "_" }}
{{- end }}

{{- define "callmesh.etcdEndpoints" -}}
{{- if .Values.etcd.bundled -}}
{{ list (printf "http://%s-etcd:2379" (include "callmesh.fullname" .)) | toJson }}
{{- else -}}
{{ .Values.etcd.endpoints | toJson }}
{{- end -}}
{{- end }}

{{- define "callmesh.natsServers" -}}
{{- if .Values.nats.bundled -}}
{{ list (printf "nats://%s-nats:4222" (include "callmesh.fullname" .)) | toJson }}
{{- else -}}
{{ .Values.nats.servers | toJson }}
{{- end -}}
{{- end }}

{{/* Whether a service keeps an embedded database; args: ctx, name. "true" or nothing. */}}
{{- define "callmesh.embedded" -}}
{{- $database := or .ctx.Values.postgresql.external .ctx.Values.postgresql.bundled -}}
{{- if and (has .name (list "tenant-registry" "call-control")) (not $database) }}true{{ end -}}
{{- end }}

{{/* A service's configuration; args: ctx, name. */}}
{{- define "callmesh.serviceConfig" -}}
{{- $ports := include "callmesh.ports" .ctx | fromYaml -}}
{{- $config := include "callmesh.commonConfig" (dict "ctx" .ctx "grpc" $ports.grpc "admin" $ports.admin) | fromYaml -}}
{{- if .ctx.Values.acceptNextToken -}}
{{- $_ := set $config.auth "accepted" (list "${CALLMESH_TOKEN_NEXT}") -}}
{{- end -}}
{{- if eq .name "policy" -}}
{{- $_ := set $config "api" (dict "listen" (printf "${POD_IP}:%v" $ports.api)) -}}
{{- end -}}
{{- if and (eq .name "state") .ctx.Values.console.enabled -}}
{{- $_ := set $config "console" (include "callmesh.consoleConfig" (dict "ctx" .ctx "port" $ports.console) | fromYaml) -}}
{{- end -}}
{{- if has .name (list "tenant-registry" "call-control") -}}
{{- if not (include "callmesh.embedded" .) -}}
{{- $_ := set $config "database" (dict "url" "${DATABASE_URL}") -}}
{{- end -}}
{{- end -}}
{{- $service := index .ctx.Values.services .name -}}
{{- if eq .name "tenant-registry" -}}
{{- $seed := list -}}
{{- range $file, $_ := $service.seed }}{{ $seed = append $seed (printf "/etc/callmesh/seed/%s" $file) }}{{ end -}}
{{- with $seed }}{{ $_ := set $config "seed" . }}{{ end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy $service.config)) -}}
{{- end }}

{{/* Environment of whatever runs our image: who and where it is, the mesh's token, and what the command line needs. */}}
{{- define "callmesh.env" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: CALLMESH_TOKEN
  valueFrom: { secretKeyRef: { name: {{ .Values.existingSecret }}, key: token } }
- name: CALLMESH_ETCD
  value: {{ include "callmesh.etcdEndpoints" . | fromJsonArray | join "," }}
{{- if ne .Values.mtls.mode "none" }}
- { name: CALLMESH_TLS_CA, value: /etc/callmesh/tls/ca.crt }
- { name: CALLMESH_TLS_CERT, value: /etc/callmesh/tls/tls.crt }
- { name: CALLMESH_TLS_KEY, value: /etc/callmesh/tls/tls.key }
{{- end }}
{{- end }}

{{/* Args: ctx, name of a service: the volume with its certificate, where there are any. */}}
{{- define "callmesh.tlsVolume" -}}
{{- if eq .ctx.Values.mtls.mode "certManager" -}}
- { name: tls, secret: { secretName: {{ include "callmesh.fullname" .ctx }}-{{ .name }}-tls } }
{{- else if eq .ctx.Values.mtls.mode "secret" -}}
- { name: tls, secret: { secretName: {{ .ctx.Values.mtls.existingSecret }} } }
{{- end -}}
{{- end }}
{{- define "callmesh.tlsMount" -}}
{{- if ne .Values.mtls.mode "none" -}}
- { name: tls, mountPath: /etc/callmesh/tls, readOnly: true }
{{- end -}}
{{- end }}

{{/* Args: port (a name). Started, able to take work, and alive are three questions. */}}
{{- define "callmesh.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: {{ . }} }
  periodSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: {{ . }} }
  periodSeconds: 5
  timeoutSeconds: 2
livenessProbe:
  httpGet: { path: /livez, port: {{ . }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}
