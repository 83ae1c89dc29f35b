{{/* Labels of every object, as a dict in JSON. Pods do not have those of Helm, so that a new version of the chart alone restarts nothing. */}}
{{- define "testrun.labels" -}}
{{- dict "app.kubernetes.io/name" "testrun"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/version" (.Chart.AppVersion | replace "+" "_" | trunc 63 | trimSuffix "-")
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") | toJson -}}
{{- end -}}

{{/* Metadata of an object in the release's namespace: (dict "root" $ "name" NAME), and "component", "labels" and "annotations" if it has them. */}}
{{- define "testrun.metadata" -}}
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
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

{{/* The objects of a file of config/, with our labels, in the release's namespace: (dict "root" $ "file" PATH "annotations" DICT). */}}
{{- define "testrun.objects" -}}
{{- $root := .root }}
{{- $annotations := default dict .annotations }}
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

{{/* The flags that are set, as a dict in JSON. */}}
{{- define "testrun.given" -}}
{{- $given := dict }}
{{- range $name, $value := . }}
{{- if and (not (kindIs "invalid" $value)) (ne (toString $value) "") }}
{{- $_ := set $given $name $value }}
{{- end }}
{{- end }}
{{- toJson $given }}
{{- end -}}

{{/* Arguments of a program: its flags, from camel case. */}}
{{- define "testrun.args" -}}
{{- range $name, $value := . }}
{{- if and (kindIs "bool" $value) $value }}
- --{{ kebabcase $name }}
{{- else }}
- {{ printf "--%s=%s" (kebabcase $name) (include "testrun.scalar" $value) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The port of an address such as :8443, or 0 if it is turned off. (list ADDRESS DEFAULT) */}}
{{- define "testrun.port" -}}
{{- regexFind "[0-9]+$" (include "testrun.scalar" (index . 0) | default (index . 1)) -}}
{{- end -}}

{{/* GOMEMLIMIT for a limit of memory: 900 of 1024 parts of it. Empty without a limit. */}}
{{- define "testrun.gomemlimit" -}}
{{- with dig "limits" "memory" "" (default dict .) }}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- $text := include "testrun.scalar" . }}
{{- $unit := regexFind "[A-Za-z]*$" $text }}
{{- if and (hasKey $units $unit) (regexMatch "^[0-9.]+[A-Za-z]*$" $text) -}}
{{ divf (mulf (trimSuffix $unit $text | float64) (index $units $unit) 900) 1024 1048576 | floor | int64 }}MiB
{{- end }}
{{- end }}
{{- end -}}

{{/* Constraints that spread a component's pods: (dict "values" VALUES "component" NAME). */}}
{{- define "testrun.spread" -}}
{{- if .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else if gt (int .values.replicas) 1 }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      app.kubernetes.io/name: testrun
      app.kubernetes.io/component: {{ .component }}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      app.kubernetes.io/name: testrun
      app.kubernetes.io/component: {{ .component }}
{{- end }}
{{- end -}}

{{/* What the pods of both programs have in common: (dict "root" $ "values" VALUES "component" NAME). */}}
{{- define "testrun.pod" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "testrun.spread" . }}
{{- end -}}

{{/* The PodDisruptionBudget of a component: (dict "root" $ "values" VALUES "component" NAME "name" NAME). */}}
{{- define "testrun.pdb" -}}
{{- if and .values.podDisruptionBudget.enabled (gt (int .values.replicas) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "testrun.metadata" . }}
spec:
  maxUnavailable: {{ .values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      app.kubernetes.io/name: testrun
      app.kubernetes.io/component: {{ .component }}
{{- end }}
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
