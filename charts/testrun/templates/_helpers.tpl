{{/* Labels of every object, as a dict in JSON. Pods do not have those of Helm, so that a new version of the chart alone restarts nothing. */}}
{{- define "testrun.labels" -}}
{{- dict "app.kubernetes.io/name" "testrun"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/version" (.Chart.AppVersion | replace "+" "_" | trunc 63 | trimSuffix "-")
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") | toJson -}}
{{- end -}}

{{/* Metadata of an object: (dict "root" $ "name" NAME), and "component", "labels" and "annotations" if it has them. Without "namespace" it is in that
of the release. */}}
{{- define "testrun.metadata" -}}
metadata:
  name: {{ .name }}
  namespace: {{ .namespace | default .root.Release.Namespace | quote }}
  labels:
    {{- with .component }}
    app.kubernetes.io/component: {{ . }}
    {{- end }}
    {{- include "testrun.labels" .root | fromJson | merge (deepCopy (default dict .labels)) | toYaml | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The objects of a file of config/, with our labels: (dict "root" $ "file" PATH), and "annotations" if it has them. What config/ has in
testrun-system is in the release's namespace. With "namespace" all of it is in that one, as kustomize's field of that name has it. */}}
{{- define "testrun.objects" -}}
{{- $root := .root }}
{{- $annotations := default dict .annotations }}
{{- $namespace := .namespace }}
{{- $text := $root.Files.Get .file | replace "testrun-system" $root.Release.Namespace }}
{{- range splitList "\n---\n" $text }}
{{- $object := fromYaml . }}
{{- with $object.Error }}
{{- fail (printf "A file of the chart is broken: %s" .) }}
{{- end }}
{{- $labels := include "testrun.labels" $root | fromJson }}
{{- $_ := set $object.metadata "labels" (merge (default dict $object.metadata.labels) $labels) }}
{{- if $annotations }}
{{- $_ := set $object.metadata "annotations" (merge (default dict $object.metadata.annotations) $annotations) }}
{{- end }}
{{- with $namespace }}
{{- $_ := set $object.metadata "namespace" . }}
{{- range $object.subjects }}
{{- $_ := set . "namespace" $namespace }}
{{- end }}
{{- end }}
---
{{ toYaml $object }}
{{ end }}
{{- end -}}

{{/* The reference of an image: (dict "root" $ "image" IMAGE). */}}
{{- define "testrun.image" -}}
{{- $tag := toString .image.tag | default .root.Chart.AppVersion }}
{{- if .image.digest -}}
{{ .image.repository }}{{ with toString .image.tag }}:{{ . }}{{ end }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ $tag }}
{{- end }}
{{- end -}}

{{/* A number or text as a flag takes it: numbers of YAML are floats. */}}
{{- define "testrun.scalar" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else if not (kindIs "invalid" .) }}{{ . }}{{ end }}
{{- end -}}

{{/* Arguments of a program: (dict "flags" FLAGS "computed" FLAGS). A flag that is null or empty is the computed one, or left out. */}}
{{- define "testrun.args" -}}
{{- $args := deepCopy (default dict .computed) }}
{{- range $name, $value := .flags }}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "")) }}
{{- $_ := set $args $name $value }}
{{- end }}
{{- end }}
{{- range $name, $value := $args }}
{{- if and (kindIs "bool" $value) $value }}
- --{{ kebabcase $name }}
{{- else }}
- {{ printf "--%s=%s" (kebabcase $name) (include "testrun.scalar" $value) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Whether this release makes anything that belongs to no namespace. "true", or empty. */}}
{{- define "testrun.isClusterWide" -}}
{{- if or .Values.manager.enabled .Values.server.enabled .Values.crds.install .Values.namespace.create }}true{{ end }}
{{- end -}}

{{/* Whether there is a cluster to look into. "true", or empty. Who has rights in one namespace only may see that one. */}}
{{- define "testrun.isConnected" -}}
{{- if lookup "v1" "Namespace" "" (ternary "kube-system" .Release.Namespace (eq (include "testrun.isClusterWide" .) "true")) }}true{{ end }}
{{- end -}}

{{/* Whether the server keeps anything that only one process may use. */}}
{{- define "testrun.isAlone" -}}
{{- $server := .Values.server }}
{{- $shared := or $server.database.existingSecret (hasPrefix "postgres" (toString $server.flags.database)) }}
{{- not (and $shared (hasPrefix "s3:" (toString $server.flags.blobs))) }}
{{- end -}}

{{/* What a server's Secrets and ConfigMaps are mounted as, by name: JSON of a dict of path, flags, and the volume. */}}
{{- define "testrun.serverMounts" -}}
{{- $server := .Values.server }}
{{- $mounts := dict }}
{{- with $server.session.existingSecret }}
{{- $_ := set $mounts "session" (dict "flags" (dict "sessionKey" "/session/session.key") "volume" (dict "secret" (dict "secretName" . "defaultMode" 288))) }}
{{- end }}
{{- with $server.oidc.existingSecret }}
{{- $_ := set $mounts "oidc" (dict "flags" (dict "oidcClientSecretFile" "/oidc/client-secret") "volume" (dict "secret" (dict "secretName" . "defaultMode" 288))) }}
{{- end }}
{{- with $server.oidc.caConfigMap }}
{{- $_ := set $mounts "oidc-ca" (dict "flags" (dict "oidcCaFile" "/oidc-ca/ca.crt") "volume" (dict "configMap" (dict "name" .))) }}
{{- end }}
{{- with ternary "testrun-server-tls" $server.tls.existingSecret $server.tls.certManager.enabled }}
{{- $_ := set $mounts "tls" (dict "flags" (dict "tlsCert" "/tls/tls.crt" "tlsKey" "/tls/tls.key") "volume" (dict "secret" (dict "secretName" . "defaultMode" 288))) }}
{{- end }}
{{- toJson $mounts }}
{{- end -}}
