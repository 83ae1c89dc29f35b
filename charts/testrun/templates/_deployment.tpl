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

{{/* The Deployment of a program: (dict "root" $ "values" VALUES "component" NAME "container" NAME "name" NAME "ports" PORTS "grace" SECONDS),
and "namespace", "computed" (flags), "strategy", "env", "securityContext", "volumes" and "volumeMounts" if it has them. PORTS are pairs of a name and
a port; 0 is none. */}}
{{- define "testrun.deployment" -}}
{{- $labels := dict "app.kubernetes.io/name" "testrun" "app.kubernetes.io/component" .component }}
{{- $pods := dict "matchLabels" $labels }}
{{- $values := .values }}
{{- $ports := list }}
{{- $health := false }}
{{- range .ports }}
{{- if ne (last .) "0" }}
{{- $ports = append $ports (dict "name" (first .) "containerPort" (last . | int)) }}
{{- $health = or $health (eq (first .) "health") }}
{{- end }}
{{- end }}
{{- $env := default list .env }}
{{- /* The garbage collector makes an effort before the limit of memory ends the process. */}}
{{- with include "testrun.gomemlimit" $values.resources }}
{{- $env = prepend $env (dict "name" "GOMEMLIMIT" "value" .) }}
{{- end }}
{{- $env = concat $env $values.env -}}
apiVersion: apps/v1
kind: Deployment
{{ include "testrun.metadata" (pick . "root" "namespace" "name") }}
spec:
  replicas: {{ $values.replicas }}
  {{- with .strategy }}
  strategy:
    type: {{ . }}
  {{- end }}
  selector:
    {{- toYaml $pods | nindent 4 }}
  template:
    metadata:
      labels:
        {{- merge (deepCopy $labels) $values.podLabels | toYaml | nindent 8 }}
      annotations:
        {{- merge (dict "kubectl.kubernetes.io/default-container" .container) $values.podAnnotations | toYaml | nindent 8 }}
    spec:
      serviceAccountName: {{ .name }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        {{- with .securityContext }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        seccompProfile:
          type: RuntimeDefault
      {{- range $field := list "priorityClassName" "nodeSelector" "tolerations" "affinity" }}
      {{- with index $values $field }}
      {{- dict $field . | toYaml | nindent 6 }}
      {{- end }}
      {{- end }}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if or $values.topologySpreadConstraints (gt (int $values.replicas) 1) }}
      topologySpreadConstraints:
        {{- with $values.topologySpreadConstraints }}
        {{- toYaml . | nindent 8 }}
        {{- else }}
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        {{- list (dict "maxSkew" 1 "topologyKey" . "whenUnsatisfiable" "ScheduleAnyway" "labelSelector" $pods) | toYaml | nindent 8 }}
        {{- end }}
        {{- end }}
      {{- end }}
      containers:
      - name: {{ .container }}
        image: {{ include "testrun.image" (dict "root" .root "image" $values.image) | quote }}
        imagePullPolicy: {{ .root.Values.imagePullPolicy }}
        args:
          {{- include "testrun.args" (dict "flags" $values.flags "computed" .computed) | nindent 10 }}
        {{- with $env }}
        env:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- with $ports }}
        ports:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- if $health }}
        livenessProbe:
          httpGet:
            path: /healthz
            port: health
          initialDelaySeconds: 15
          periodSeconds: 20
        readinessProbe:
          httpGet:
            path: /readyz
            port: health
          periodSeconds: 5
        {{- end }}
        {{- with $values.resources }}
        resources:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities:
            drop: [ALL]
        {{- with .volumeMounts }}
        volumeMounts:
          {{- toYaml . | nindent 10 }}
        {{- end }}
      {{- with .volumes }}
      volumes:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      terminationGracePeriodSeconds: {{ .grace }}
{{- if and $values.podDisruptionBudget.enabled (gt (int $values.replicas) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "testrun.metadata" (pick . "root" "namespace" "name" "component") }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  selector:
    {{- toYaml $pods | nindent 4 }}
{{- end }}
{{- end -}}
