{{/*
  Args: ctx, node, full, name. As many nodes as keep sessions at the wanted share of capacity. One that is scaled away
  drains first (its preStop); the mesh gives it nothing from the moment it is told.
*/}}
{{- define "callmesh.nodeScaling" -}}
{{- $scaling := .node.autoscaling -}}
{{- $each := div (mul (int .node.maxSessions) (int $scaling.sessionsPercent)) 100 }}
{{- if eq $scaling.type "hpa" }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .full }}
  labels: {{- include "callmesh.labels" . | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: StatefulSet, name: {{ .full }} }
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    - type: Pods
      pods:
        metric: { name: freeswitch_current_sessions }
        target: { type: AverageValue, averageValue: {{ $each | quote }} }
  behavior: {{- include "callmesh.scalingBehavior" . | nindent 4 }}
{{- else }}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ .full }}
  labels: {{- include "callmesh.labels" . | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: StatefulSet, name: {{ .full }} }
  minReplicaCount: {{ $scaling.minReplicas }}
  maxReplicaCount: {{ $scaling.maxReplicas }}
  triggers:
    - type: prometheus
      metricType: AverageValue
      metadata:
        serverAddress: {{ $scaling.prometheus | quote }}
        query: sum(freeswitch_current_sessions{namespace={{ .ctx.Release.Namespace | quote }},pod=~{{ printf "%s-[0-9]+" .full | quote }}})
        threshold: {{ $each | quote }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {{- include "callmesh.scalingBehavior" . | nindent 8 }}
{{- end }}
{{- end }}

{{/* Up at once, down slowly: a node that went takes as long as its longest call. */}}
{{- define "callmesh.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies: [{ type: Percent, value: 100, periodSeconds: 60 }]
scaleDown:
  stabilizationWindowSeconds: 900
  policies: [{ type: Pods, value: 1, periodSeconds: 300 }]
{{- end }}
