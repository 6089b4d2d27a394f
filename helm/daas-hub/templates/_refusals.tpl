{{/* What the schema cannot say, or not in words that help: each refusal names the values. */}}
{{- define "daas.refusals" -}}
{{- include "daas.refusals.addresses" . }}
{{- include "daas.refusals.volumes" . }}
{{- include "daas.refusals.missing" . }}
{{- if and (eq .Values.hub.db.type "other") (not .Values.hub.db.url) }}
{{- fail "hub.db.url must name the PostgreSQL when hub.db.type is other" }}
{{- end }}
{{- $network := .Values.sessions.network }}
{{- if and .Values.networkPolicies.enabled (ne $network "none") (not (hasKey .Values.sessions.networks $network)) }}
{{- fail (printf "sessions.network is %s, which is none of sessions.networks: it has %s" $network (keys .Values.sessions.networks | sortAlpha | join ", " | default "nothing")) }}
{{- end }}
{{- end }}

{{/* As daas_model/hosting.py, which stops the hub with the names of its variables. */}}
{{- define "daas.refusals.addresses" -}}
{{- $example := "such as https://daas.facility.example/" }}
{{- if and (eq .Values.hosting "subdomains") (not .Values.publicUrl) }}
{{- fail (printf "publicUrl must be set: the https address of the portal as browsers see it, %s" $example) }}
{{- end }}
{{- range $name, $url := pick .Values "publicUrl" "sessionsUrl" }}
{{- if and $url (not (regexMatch "^https?://[a-z0-9.:\\[\\]-]+(/[A-Za-z0-9_~][A-Za-z0-9._~-]*)*/?$" $url)) }}
{{- fail (printf "%s must be an address as browsers see it, in small letters, %s; it is %s" $name $example $url) }}
{{- end }}
{{- if and $url (eq $.Values.hosting "subdomains") }}
{{- $host := (urlParse $url).hostname }}
{{- if not (hasPrefix "https://" $url) }}
{{- fail (printf "%s must begin with https://, %s: people sign in there. Only a demo with hosting: paths may do without" $name $example) }}
{{- end }}
{{- if or (not (contains "." $host)) (regexMatch "^[0-9.]+$|:" $host) }}
{{- fail (printf "%s must have a host name with a dot, %s: each person's sessions have a name below it. Only a demo with hosting: paths may do without" $name $example) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.sessionsUrl }}
{{- $public := urlParse $.Values.publicUrl }}
{{- $sessions := urlParse . }}
{{- if eq $.Values.hosting "paths" }}
{{- fail "sessionsUrl is for hosting: subdomains" }}
{{- end }}
{{- if hasSuffix (printf ".%s" $sessions.hostname) $public.hostname }}
{{- fail "publicUrl must not be below sessionsUrl: it could be a person" }}
{{- end }}
{{- if ne (regexFind ":[0-9]+$" $public.host) (regexFind ":[0-9]+$" $sessions.host) }}
{{- fail "sessionsUrl and publicUrl must have the same port" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "daas.refusals.volumes" -}}
{{- $at := dict "/tmp" "the hub itself" "/run/daas" "the hub itself" "/var/lib/daas" "the hub itself" "/etc/daas/values" "the hub itself" "/etc/daas/catalogue" "the hub itself" }}
{{- range $name, $file := .Values.hub.extraFiles }}
{{- include "daas.refusals.place" (dict "at" $at "name" (printf "hub.extraFiles.%s" $name) "path" $file.mountPath) }}
{{- end }}
{{- range $name, $volume := .Values.storage.volumes }}
{{- $kinds := keys (pick $volume "nfs" "csi" "hostPath" "existingClaim") | sortAlpha }}
{{- if ne (len $kinds) 1 }}
{{- fail (printf "storage.volumes.%s must have one of nfs, csi, hostPath and existingClaim; it has %s" $name ($kinds | join " and " | default "none")) }}
{{- end }}
{{- include "daas.refusals.place" (dict "at" $at "name" (printf "storage.volumes.%s" $name) "path" $volume.path) }}
{{- end }}
{{- end }}

{{/* One path, one thing: the cluster would refuse the hub's pod, in words about a "mountPath". */}}
{{- define "daas.refusals.place" -}}
{{- $path := clean .path }}
{{- with get .at $path }}
{{- fail (printf "%s and %s have the same path, %s" . $.name $path) }}
{{- end }}
{{- $_ := set .at $path .name }}
{{- end }}

{{/* What must be there already. Known only where helm asks a cluster, and the namespace is there. */}}
{{- define "daas.refusals.missing" -}}
{{- $root := . }}
{{- range $namespace := list (include "daas.sessions" .) .Release.Namespace | uniq }}
{{- if lookup "v1" "ServiceAccount" $namespace "default" }}
{{- range $name, $volume := $root.Values.storage.volumes }}
{{- with $volume.existingClaim }}
{{- if not (lookup "v1" "PersistentVolumeClaim" $namespace .) }}
{{- fail (printf "storage.volumes.%s.existingClaim is %s, and there is no such claim in the namespace %s" $name . $namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.hub.existingSecret (lookup "v1" "ServiceAccount" .Release.Namespace "default") }}
{{- $data := (lookup "v1" "Secret" .Release.Namespace .Values.hub.existingSecret).data | default dict }}
{{- range $key := list "proxy-token" "cookie-secret" "crypt-key" }}
{{- if not (get $data $key) }}
{{- fail (printf "hub.existingSecret is %s, and there is no such Secret with %s in the namespace %s" $root.Values.hub.existingSecret $key $root.Release.Namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
