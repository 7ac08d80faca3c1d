{{/* Args: ctx, component, store (values), user, port, command?, env?, http? (a port with health), scratch? (paths). */}}
{{- define "callmesh.store" -}}
{{- $root := .ctx -}}
{{- $args := dict "ctx" .ctx "component" .component -}}
{{- $full := printf "%s-%s" (include "callmesh.fullname" .ctx) .component }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $full }}
  labels: {{- include "callmesh.labels" $args | nindent 4 }}
spec:
  selector: {{- include "callmesh.selector" $args | nindent 4 }}
  ports:
    - { name: store, port: {{ .port }}, targetPort: store }
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $full }}
  labels: {{- include "callmesh.labels" $args | nindent 4 }}
spec:
  replicas: 1
  serviceName: {{ $full }}
  selector:
    matchLabels: {{- include "callmesh.selector" $args | nindent 6 }}
  template:
    metadata: {{- include "callmesh.podMetadata" (merge (dict "checksum" (toJson .store | sha256sum)) $args) | nindent 6 }}
    spec:
      {{- include "callmesh.podBase" $root | nindent 6 }}
      {{- include "callmesh.podSecurity" .user | nindent 6 }}
      containers:
        - name: {{ .component }}
          {{- include "callmesh.image" (dict "ctx" $root "image" .store.image) | nindent 10 }}
          {{- with .command }}
          command: {{ toJson . }}
          {{- end }}
          {{- with .env }}
          env: {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            - { name: store, containerPort: {{ .port }} }
            {{- with .http }}
            - { name: health, containerPort: {{ . }} }
            {{- end }}
          {{- $probe := empty .http | not | ternary (dict "httpGet" (dict "path" "/healthz" "port" "health")) (dict "tcpSocket" (dict "port" "store")) }}
          startupProbe: {{- toYaml (merge (dict "periodSeconds" 2 "failureThreshold" 60) $probe) | nindent 12 }}
          readinessProbe: {{- toYaml (merge (dict "periodSeconds" 5) $probe) | nindent 12 }}
          livenessProbe: {{- toYaml (merge (dict "periodSeconds" 10 "failureThreshold" 6) $probe) | nindent 12 }}
          resources: { requests: { cpu: 100m, memory: 256Mi }, limits: { memory: 1Gi } }
          {{- include "callmesh.containerSecurity" $root | nindent 10 }}
          volumeMounts:
            - { name: data, mountPath: /data }
            - { name: tmp, mountPath: /tmp }
            {{- range $index, $path := .scratch }}
            - { name: scratch-{{ $index }}, mountPath: {{ $path }} }
            {{- end }}
      volumes:
        - { name: tmp, emptyDir: {} }
        {{- range $index, $path := .scratch }}
        - { name: scratch-{{ $index }}, emptyDir: {} }
        {{- end }}
  volumeClaimTemplates:
    - {{- include "callmesh.claim" (dict "ctx" $root "name" "data" "storage" .store.storage) | nindent 6 }}
{{- end }}
