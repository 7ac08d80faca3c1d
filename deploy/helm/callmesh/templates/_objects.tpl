{{/* Args: ctx, name, storage. */}}
{{- define "callmesh.claim" -}}
metadata: { name: {{ .name }} }
spec:
  accessModes: [ReadWriteOnce]
  {{- with .ctx.Values.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources: { requests: { storage: {{ .storage }} } }
{{- end }}

{{/* Args: ctx, component, name, zone, full. One at a time. */}}
{{- define "callmesh.pdb" }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .full }}
  labels: {{- include "callmesh.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "callmesh.selector" . | nindent 6 }}
{{- end }}
