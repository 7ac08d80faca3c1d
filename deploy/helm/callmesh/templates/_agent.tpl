{{/* Configuration of a node-agent; args: ctx, entry, node (the section `node`), backend. */}}
{{- define "callmesh.agentConfig" -}}
{{- $ports := include "callmesh.shiftedPorts" .entry | fromYaml -}}
{{- $config := include "callmesh.commonConfig" (dict "ctx" .ctx "grpc" $ports.agentGrpc "admin" $ports.agentAdmin) | fromYaml -}}
{{- $_ := set $config "node" .node -}}
{{- $_ := set $config "backend" .backend -}}
{{- toYaml (mergeOverwrite $config (deepCopy .ctx.Values.agent.config)) -}}
{{- end }}

{{/* The sidecar; args: ctx, entry, env (a list, optional), preStop (a list, optional), mounts (a list, optional). */}}
{{- define "callmesh.agentContainer" -}}
{{- $ports := include "callmesh.shiftedPorts" .entry | fromYaml -}}
- name: node-agent
  {{- include "callmesh.image" (dict "ctx" .ctx "image" .ctx.Values.image) | nindent 2 }}
  args: [node-agent]
  env:
    {{- include "callmesh.env" .ctx | nindent 4 }}
    {{- with .env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - { name: agent-grpc, containerPort: {{ $ports.agentGrpc }} }
    - { name: agent-admin, containerPort: {{ $ports.agentAdmin }} }
  {{- include "callmesh.probes" "agent-admin" | nindent 2 }}
    # One that hangs is ended soon: how long a drain may take is for the pod as a whole.
    terminationGracePeriodSeconds: 10
  {{- with .preStop }}
  lifecycle:
    preStop: { exec: { command: {{ toJson . }} } }
  {{- end }}
  resources: {{- toYaml .ctx.Values.agent.resources | nindent 4 }}
  {{- include "callmesh.containerSecurity" .ctx | nindent 2 }}
  volumeMounts:
    - { name: config, mountPath: /etc/callmesh/config.yaml, subPath: config.yaml, readOnly: true }
    - { name: state, mountPath: /var/lib/callmesh }
    - { name: run, mountPath: /run/callmesh }
    - { name: agent-tmp, mountPath: /tmp }
    {{- with .mounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with include "callmesh.tlsMount" .ctx }}{{ . | nindent 4 }}{{ end }}
{{- end }}

{{/* Volumes of the sidecar; args: ctx, full. */}}
{{- define "callmesh.agentVolumes" -}}
- { name: config, configMap: { name: {{ .full }} } }
- { name: state, emptyDir: {} }
- { name: run, emptyDir: { medium: Memory, sizeLimit: 16Mi } }
- { name: agent-tmp, emptyDir: {} }
{{- with include "callmesh.tlsVolume" (dict "ctx" .ctx "name" "node-agent") }}
{{ . }}
{{- end }}
{{- end }}
