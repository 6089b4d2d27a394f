{{- define "daas.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "daas.labels" -}}
app.kubernetes.io/name: daas-hub
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The whole name of an image, from its part of the values. */}}
{{- define "daas.image" -}}
{{ .image.name }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "daas.pullSecrets" -}}
{{- with . }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "daas.sessions" -}}
{{ .Values.sessions.namespace | default .Release.Namespace }}
{{- end }}

{{- define "daas.secret" -}}
{{ .Values.hub.existingSecret | default (printf "%s-secret" (include "daas.name" .)) }}
{{- end }}

{{/* What a volume is, as Kubernetes writes it. A folder that is missing on a node is not made. */}}
{{- define "daas.source" -}}
{{- $source := omit . "path" | deepCopy }}
{{- if and .hostPath (not (hasKey .hostPath "type")) }}
{{- $_ := set $source.hostPath "type" "Directory" }}
{{- end }}
{{- toYaml $source }}
{{- end }}

{{/*
The claim of one volume: the facility's own, or the one that storage.yaml makes. What a volume is cannot
be changed, so another source has another claim: running sessions keep theirs.
*/}}
{{- define "daas.claim" -}}
{{ .volume.existingClaim | default (printf "%s-%s-%s" (include "daas.name" .root) .name (include "daas.source" .volume | sha256sum | trunc 8)) }}
{{- end }}

{{/* What every pod of ours has for Pod Security "restricted". */}}
{{- define "daas.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "daas.security" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
{{- end }}

{{/* The hub's own part of its address, with a slash at both ends. */}}
{{- define "daas.path" -}}
{{ printf "/%s/" ((urlParse .Values.publicUrl).path | trimAll "/") | replace "//" "/" }}
{{- end }}

{{/* All values as daas_command/chart.py reads them; what hub.config says wins. */}}
{{- define "daas.values" -}}
{{- $root := . }}
{{- $volumes := dict }}
{{- range $name, $volume := .Values.storage.volumes }}
{{- $_ := set $volumes (include "daas.claim" (dict "root" $root "name" $name "volume" $volume)) $volume.path }}
{{- end }}
{{- $engine := dict "kind" "kubernetes" "title" .Values.sessions.title "namespace" (include "daas.sessions" .)
    "hub_url" (printf "http://%s-gate:8082" (include "daas.name" .)) "network" .Values.sessions.network "volumes" $volumes }}
{{- $images := .Values.sessions.images }}
{{- $config := dict
    "Facility" (dict "engines_offered" (dict "cluster" $engine) "apps_left_out" .Values.apps.leftOut)
    "FilesCatalogue" (dict "folder" "/etc/daas/catalogue")
    "ContainerImages" (dict "prefix" $images.prefix "tag" ($images.tag | default .Chart.AppVersion))
    "KubeSpawner" (dict "image_pull_policy" $images.pullPolicy "image_pull_secrets" $images.pullSecrets) }}
{{- if eq .Values.hub.db.type "other" }}
{{- $_ := set $config "DaasAuthenticator" (dict "people_database" .Values.hub.db.url) }}
{{- end }}
{{- dict "config" (mergeOverwrite $config (deepCopy .Values.hub.config)) "machines" .Values.machines | toPrettyJson }}
{{- end }}

{{/* The way to name servers, which may listen on another port than the one they are asked at. */}}
{{- define "daas.nameServers" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
- to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
{{- end }}
