{{/* What no schema can say: values that do not go together. Every sentence says what to do. */}}
{{- define "callmesh.validate" -}}
{{- $root := . -}}
{{- if gt (len (include "callmesh.fullname" .)) 24 -}}
{{- fail (printf "the release's name %q is longer than 24 characters: a pod's name is a node's id and must fit into 63; set fullnameOverride to something shorter" (include "callmesh.fullname" .)) -}}
{{- end -}}
{{- if not .Values.existingSecret -}}
{{- fail "existingSecret is empty: make a Secret with the keys token, edge-secret and esl-password (see README.md) and name it here" -}}
{{- end -}}
{{- include "callmesh.validateStores" . -}}
{{- if and .Values.console.enabled (not .Values.console.operators) -}}
{{- fail "console.operators is empty: nobody could sign in; name at least one operator and the Secret with the token" -}}
{{- end -}}
{{- if and (eq .Values.mtls.mode "certManager") (not .Values.mtls.issuer.name) -}}
{{- fail "mtls.mode is certManager: name the issuer that is to sign the services' certificates in mtls.issuer.name" -}}
{{- end -}}
{{- if and (eq .Values.mtls.mode "secret") (not .Values.mtls.existingSecret) -}}
{{- fail "mtls.mode is secret: name the Secret with tls.crt, tls.key and ca.crt in mtls.existingSecret" -}}
{{- end -}}
{{- if and (or .Values.nodes .Values.edges) (not .Values.network.peers) -}}
{{- fail "network.peers is empty: list the CIDRs of the cluster's pods and hosts, since nodes take SIP from nobody else" -}}
{{- end -}}
{{- if and .Values.nodes (not .Values.freeswitch.image.repository) -}}
{{- fail "freeswitch.image.repository is empty: nodes need an image with FreeSWITCH and the modules of docs/freeswitch.md" -}}
{{- end -}}
{{- range $name, $_ := .Values.nodes -}}
{{- include "callmesh.validateNode" (dict "ctx" $root "name" $name "node" (include "callmesh.node" (dict "ctx" $root "name" $name) | fromYaml)) -}}
{{- if hasKey $root.Values.edges $name -}}
{{- fail (printf "nodes.%s and edges.%s: a name may be used once" $name $name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.edges -}}
{{- include "callmesh.validateEdge" (dict "ctx" $root "name" $name "edge" (include "callmesh.edge" (dict "ctx" $root "name" $name) | fromYaml)) -}}
{{- end -}}
{{- include "callmesh.validateHosts" . -}}
{{- with .Values.rtpengine -}}
{{- if and (gt (int .replicas) 0) (not .addresses) (not .image.repository) -}}
{{- fail "rtpengine.image.repository is empty: with replicas above 0 an image with rtpengine is needed (newer than mr13.3.1.4), or addresses of your own" -}}
{{- end -}}
{{- if and .addresses (gt (int .replicas) 0) -}}
{{- fail "rtpengine.addresses and rtpengine.replicas: relays are elsewhere or here, set one of the two" -}}
{{- end -}}
{{- if ge (int .rtp.first) (int .rtp.last) -}}
{{- fail (printf "rtpengine.rtp: first (%v) must be below last (%v)" .rtp.first .rtp.last) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "callmesh.validateStores" -}}
{{- $root := . -}}
{{- range $store, $key := dict "etcd" "endpoints" "nats" "servers" -}}
{{- $values := index $root.Values $store -}}
{{- $given := index $values $key -}}
{{- if and (not $values.bundled) (not $given) -}}
{{- fail (printf "%s.%s is empty: list the addresses of your %s, or set %s.bundled for a trial" $store $key $store $store) -}}
{{- end -}}
{{- if and $values.bundled $given -}}
{{- fail (printf "%s.bundled and %s.%s: it is elsewhere or here, set one of the two" $store $store $key) -}}
{{- end -}}
{{- end -}}
{{- range $store := list "etcd" "nats" -}}
{{- $values := index $root.Values $store -}}
{{- if and $values.clientCertificate (not $values.tlsSecret) -}}
{{- fail (printf "%s.clientCertificate: name the Secret with ca.crt, tls.crt and tls.key in %s.tlsSecret" $store $store) -}}
{{- end -}}
{{- if and $values.bundled (or $values.tlsSecret $values.username (ne ($values.auth | default "none") "none")) -}}
{{- fail (printf "%s.bundled: the one for a trial knows neither TLS nor users; use one of your own" $store) -}}
{{- end -}}
{{- end -}}
{{- range .Values.etcd.endpoints -}}
{{- if and $root.Values.etcd.tlsSecret (not (hasPrefix "https://" .)) -}}
{{- fail (printf "etcd.endpoints: %s is not https://, which etcd.tlsSecret is for" .) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.nats.auth "password") (not .Values.nats.user) -}}
{{- fail "nats.user is empty: say whose password nats-password is" -}}
{{- end -}}
{{- if and .Values.postgresql.bundled .Values.postgresql.external -}}
{{- fail "postgresql.bundled and postgresql.external: it is elsewhere or here, set one of the two" -}}
{{- end -}}
{{- range $name := list "tenant-registry" "call-control" -}}
{{- $service := index $root.Values.services $name -}}
{{- if include "callmesh.embedded" (dict "ctx" $root "name" $name) -}}
{{- if or (gt (int $service.replicas) 1) $service.autoscaling.enabled -}}
{{- fail (printf "services.%s: an embedded database is for one replica; set replicas: 1, or give it PostgreSQL (postgresql.external or postgresql.bundled)" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $service := .Values.services -}}
{{- if gt (int $service.autoscaling.minReplicas) (int $service.autoscaling.maxReplicas) -}}
{{- fail (printf "services.%s.autoscaling: minReplicas (%v) is above maxReplicas (%v)" $name $service.autoscaling.minReplicas $service.autoscaling.maxReplicas) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Args: ctx, name, node. */}}
{{- define "callmesh.validateNode" -}}
{{- $at := printf "nodes.%s" .name -}}
{{- if ge (int .node.rtp.first) (int .node.rtp.last) -}}
{{- fail (printf "%s.rtp: first (%v) must be below last (%v)" $at .node.rtp.first .node.rtp.last) -}}
{{- end -}}
{{- $need := mul 2 (int .node.maxSessions) -}}
{{- $has := add 1 (sub (int .node.rtp.last) (int .node.rtp.first)) -}}
{{- if and (ne .node.role "router") (lt $has $need) -}}
{{- fail (printf "%s: %v ports for media are too few for maxSessions %v, which needs two each (%v): widen rtp or lower maxSessions" $at $has .node.maxSessions $need) -}}
{{- end -}}
{{- if and (ne .node.role "tandem") .node.carriers -}}
{{- fail (printf "%s.carriers: only a tandem knows carriers, this is a %s" $at .node.role) -}}
{{- end -}}
{{- if and (eq .node.role "tandem") (eq (int .node.sipPort) (int .node.carrierPort)) -}}
{{- fail (printf "%s: carrierPort and sipPort are both %v; carriers are not let in where the mesh is" $at .node.sipPort) -}}
{{- end -}}
{{- with .node.autoscaling -}}
{{- if and (ne .type "none") (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "%s.autoscaling: minReplicas (%v) is above maxReplicas (%v)" $at .minReplicas .maxReplicas) -}}
{{- end -}}
{{- if and (eq .type "keda") (not .prometheus) -}}
{{- fail (printf "%s.autoscaling: keda asks Prometheus; set prometheus to its URL" $at) -}}
{{- end -}}
{{- end -}}
{{- $longest := 0 -}}
{{- range .node.zones }}{{ $longest = max $longest (add 1 (len .)) }}{{ end -}}
{{- if gt (add (len (include "callmesh.fullname" .ctx)) 1 (len .name) $longest 5) 63 -}}
{{- fail (printf "%s: release, name and zone together make a pod's name longer than 63 characters; shorten one of them" $at) -}}
{{- end -}}
{{- if hasKey .ctx.Values.services .name -}}
{{- fail (printf "%s: a service has that name, choose another" $at) -}}
{{- end -}}
{{- end }}

{{/* Args: ctx, name, edge. */}}
{{- define "callmesh.validateEdge" -}}
{{- $at := printf "edges.%s" .name -}}
{{- if and (eq .edge.kind "DaemonSet") (not .edge.nodeSelector) -}}
{{- fail (printf "%s: a DaemonSet without nodeSelector puts a door on every host; name the hosts, or use kind: Deployment" $at) -}}
{{- end -}}
{{- if and .edge.hostNetwork .edge.service.sourceRanges -}}
{{- fail (printf "%s: with hostNetwork there is no Service, so service.sourceRanges protects nothing; use the hosts' firewall" $at) -}}
{{- end -}}
{{- if and (not .edge.hostNetwork) (eq .edge.service.type "LoadBalancer") (not .edge.advertise) -}}
{{- fail (printf "%s.advertise is empty: behind a load balancer the door must say the balancer's address, or what callers send later goes to the pod's" $at) -}}
{{- end -}}
{{- $ports := list (int .edge.ports.sip) -}}
{{- if eq .edge.door "kama-wss" }}{{ $ports = append $ports (int .edge.ports.agents) }}{{ end -}}
{{- if .edge.tlsSecret }}{{ $ports = append $ports (int .edge.ports.tls) }}{{ end -}}
{{- if ne (len $ports) (len (uniq $ports)) -}}
{{- fail (printf "%s.ports: sip, agents and tls must differ" $at) -}}
{{- end -}}
{{- range $ports -}}
{{- if lt . 1024 -}}
{{- fail (printf "%s.ports: %v is below 1024, which a door that is not root cannot open; let the load balancer listen there" $at .) -}}
{{- end -}}
{{- end -}}
{{- if hasKey .ctx.Values.services .name -}}
{{- fail (printf "%s: a service has that name, choose another" $at) -}}
{{- end -}}
{{- end }}

{{/* FreeSWITCH and rtpengine share ports without an error: two ranges that meet on one host are crossed audio. */}}
{{- define "callmesh.validateHosts" -}}
{{- $root := . -}}
{{- $ranges := list -}}
{{- range $name, $_ := .Values.nodes -}}
{{- $node := include "callmesh.node" (dict "ctx" $root "name" $name) | fromYaml -}}
{{- if $node.hostNetwork }}{{ $ranges = append $ranges (dict "at" (printf "nodes.%s.rtp" $name) "rtp" $node.rtp) }}{{ end -}}
{{- end -}}
{{- with .Values.rtpengine -}}
{{- if and .hostNetwork (gt (int .replicas) 0) }}{{ $ranges = append $ranges (dict "at" "rtpengine.rtp" "rtp" .rtp) }}{{ end -}}
{{- end -}}
{{- range $index, $one := $ranges -}}
{{- range $other := slice $ranges (add1 $index) -}}
{{- if and (le (int $one.rtp.first) (int $other.rtp.last)) (le (int $other.rtp.first) (int $one.rtp.last)) -}}
{{- fail (printf "%s (%v-%v) and %s (%v-%v) overlap: on one host their calls would hear each other; give them ranges apart" $one.at $one.rtp.first $one.rtp.last $other.at $other.rtp.first $other.rtp.last) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
