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
etcd:
  endpoints: {{ include "callmesh.etcdEndpoints" $root | fromJsonArray | toJson }}
  {{- with $root.Values.etcd.username }}
  username: {{ quote . }}
  password: ${CALLMESH_ETCD_PASSWORD}
  {{- end }}
  {{- include "callmesh.storeTls" (dict "ctx" $root "store" "etcd") | nindent 2 }}
nats:
  servers: {{ include "callmesh.natsServers" $root | fromJsonArray | toJson }}
  replicas: {{ if $root.Values.nats.bundled }}1{{ else }}{{ $root.Values.nats.replicas }}{{ end }}
  {{- if eq $root.Values.nats.auth "password" }}
  user: {{ quote $root.Values.nats.user }}
  password: ${CALLMESH_NATS_PASSWORD}
  {{- else if eq $root.Values.nats.auth "token" }}
  token: ${CALLMESH_NATS_TOKEN}
  {{- end }}
  {{- include "callmesh.storeTls" (dict "ctx" $root "store" "nats") | nindent 2 }}
auth: { token: "${CALLMESH_TOKEN}" }
shutdown: { drain_s: {{ sub (int $root.Values.serviceGraceSeconds) 5 }} }
telemetry:
  trace_ratio: {{ $root.Values.telemetry.traceRatio }}
  {{- with $root.Values.telemetry.otlpEndpoint }}
  otlp: { endpoint: {{ . | quote }} }
  {{- end }}
state_dir: /var/lib/callmesh
{{- end }}

{{/* TLS towards a store of yours; args: ctx, store. */}}
{{- define "callmesh.storeTls" -}}
{{- $values := index .ctx.Values .store -}}
{{- $folder := printf "/etc/callmesh/%s-tls" .store -}}
{{- if and $values.tlsSecret $values.clientCertificate -}}
tls: { ca: {{ $folder }}/ca.crt, cert: {{ $folder }}/tls.crt, key: {{ $folder }}/tls.key }
{{- else if $values.tlsSecret -}}
tls: { ca: {{ $folder }}/ca.crt }
{{- end -}}
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
{{- with .Values.etcd }}
{{- if .tlsSecret }}
- { name: CALLMESH_ETCD_CA, value: /etc/callmesh/etcd-tls/ca.crt }
{{- end }}
{{- if and .tlsSecret .clientCertificate }}
- { name: CALLMESH_ETCD_CERT, value: /etc/callmesh/etcd-tls/tls.crt }
- { name: CALLMESH_ETCD_KEY, value: /etc/callmesh/etcd-tls/tls.key }
{{- end }}
{{- if .username }}
- { name: CALLMESH_ETCD_USER, value: {{ quote .username }} }
- name: CALLMESH_ETCD_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ $.Values.existingSecret }}, key: etcd-password } }
{{- end }}
{{- end }}
{{- if ne .Values.nats.auth "none" }}
- name: CALLMESH_NATS_{{ upper .Values.nats.auth }}
  valueFrom: { secretKeyRef: { name: {{ .Values.existingSecret }}, key: nats-{{ .Values.nats.auth }} } }
{{- end }}
{{- end }}

{{/* Args: ctx, name of a service: the volumes with its certificate and with the stores' CAs, where there are any. */}}
{{- define "callmesh.tlsVolume" -}}
{{- $volumes := list -}}
{{- if eq .ctx.Values.mtls.mode "certManager" -}}
{{- $volumes = append $volumes (printf "- { name: tls, secret: { secretName: %s-%s-tls } }" (include "callmesh.fullname" .ctx) .name) -}}
{{- else if eq .ctx.Values.mtls.mode "secret" -}}
{{- $volumes = append $volumes (printf "- { name: tls, secret: { secretName: %s } }" .ctx.Values.mtls.existingSecret) -}}
{{- end -}}
{{- range $store := list "etcd" "nats" -}}
{{- with (index $.ctx.Values $store).tlsSecret }}{{ $volumes = append $volumes (printf "- { name: %s-tls, secret: { secretName: %s } }" $store .) }}{{ end -}}
{{- end -}}
{{- join "\n" $volumes -}}
{{- end }}
{{- define "callmesh.tlsMount" -}}
{{- $mounts := list -}}
{{- if ne .Values.mtls.mode "none" }}{{ $mounts = append $mounts "- { name: tls, mountPath: /etc/callmesh/tls, readOnly: true }" }}{{ end -}}
{{- range $store := list "etcd" "nats" -}}
{{- if (index $.Values $store).tlsSecret }}{{ $mounts = append $mounts (printf "- { name: %s-tls, mountPath: /etc/callmesh/%s-tls, readOnly: true }" $store $store) }}{{ end -}}
{{- end -}}
{{- join "\n" $mounts -}}
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
