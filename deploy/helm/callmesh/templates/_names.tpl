{{/* In front of the names of all objects; short, because a pod's name is a node's id (63 characters). */}}
{{- define "callmesh.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name -}}
{{- end }}

{{/* Ports every pod of a kind has; those of SIP and media are values. */}}
{{- define "callmesh.ports" -}}
{{- include "callmesh.shiftedPorts" (dict "portShift" 0) }}
grpc: 7000
admin: 9100
api: 7080
console: 7090
rtpengineControl: 2223
rtpengineHttp: 2225
etcd: 2379
etcdPeer: 2380
nats: 4222
natsMonitor: 8222
postgresql: 5432
{{- end }}

{{/* Args: an entry of nodes or edges. Those of its pods beside SIP and media. */}}
{{- define "callmesh.shiftedPorts" -}}
{{- $shift := int .portShift -}}
agentGrpc: {{ add 7001 $shift }}
agentAdmin: {{ add 9101 $shift }}
esl: {{ add 8021 $shift }}
xml: {{ add 8022 $shift }}
kamailioMetrics: {{ add 9180 $shift }}
{{- end }}

{{/* Args: ctx, component, name (entry of nodes or edges, optional). What a pod is found by; never changes. */}}
{{- define "callmesh.selector" -}}
app.kubernetes.io/name: callmesh
app.kubernetes.io/instance: {{ .ctx.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .name }}
callmesh.io/entry: {{ . }}
{{- end }}
{{- with .zone }}
callmesh.io/zone: {{ . }}
{{- end }}
{{- end }}

{{/* Args as above: labels of an object. */}}
{{- define "callmesh.labels" -}}
{{ include "callmesh.selector" . }}
app.kubernetes.io/version: {{ .ctx.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: callmesh
app.kubernetes.io/managed-by: {{ .ctx.Release.Service }}
{{- with .ctx.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Args: ctx, image. A digest wins over a tag. */}}
{{- define "callmesh.image" -}}
{{- $tag := .image.tag | default .ctx.Chart.AppVersion -}}
image: {{ .image.repository }}{{ if .image.digest }}@{{ .image.digest }}{{ else }}:{{ $tag }}{{ end }}
imagePullPolicy: {{ .image.pullPolicy }}
{{- end }}

{{/* Args: ctx, key of values, name: an entry of nodes or edges with its defaults. */}}
{{- define "callmesh.node" -}}
{{- $node := mergeOverwrite (deepCopy .ctx.Values.nodeDefaults) (deepCopy (index .ctx.Values.nodes .name)) -}}
{{- $_ := set $node "group" ($node.group | default .name) -}}
{{- toYaml $node -}}
{{- end }}
{{- define "callmesh.edge" -}}
{{- toYaml (mergeOverwrite (deepCopy .ctx.Values.edgeDefaults) (deepCopy (index .ctx.Values.edges .name))) -}}
{{- end }}

{{/* Args: ctx, component, name (optional). Apart on hosts, spread over zones. */}}
{{- define "callmesh.spread" -}}
{{- $labels := include "callmesh.selector" . -}}
affinity:
  podAntiAffinity:
  {{- if .hostNetwork }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector: { matchLabels: {{ fromYaml $labels | toJson }} }
  {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector: { matchLabels: {{ fromYaml $labels | toJson }} }
  {{- end }}
  {{- with .zone }}
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions: [{ key: topology.kubernetes.io/zone, operator: In, values: [{{ . | quote }}] }]
  {{- end }}
{{- if not .zone }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: {{ .ctx.Values.topologySpread }}
    labelSelector: { matchLabels: {{ fromYaml $labels | toJson }} }
{{- end }}
{{- end }}

{{/* Args: ctx, component, name, zone, checksum. Metadata of a pod. */}}
{{- define "callmesh.podMetadata" -}}
labels: {{- include "callmesh.labels" . | nindent 2 }}
annotations:
  checksum/config: {{ .checksum }}
  {{- with .ctx.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Args: ctx, resources? What every pod of ours has; nobody needs the Kubernetes API. */}}
{{- define "callmesh.podBase" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Args: a user id. Of a pod that passes the restricted profile. */}}
{{- define "callmesh.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end }}
{{- define "callmesh.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}
