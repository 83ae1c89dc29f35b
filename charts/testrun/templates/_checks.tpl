{{/* What the schema cannot say: each is refused in a sentence that says what to do. */}}
{{- define "testrun.check" -}}
{{- include "testrun.checkComplete" . }}
{{- include "testrun.checkFlags" . }}
{{- include "testrun.checkParts" . }}
{{- include "testrun.checkReplicas" . }}
{{- include "testrun.checkJobtable" . }}
{{- include "testrun.checkApis" . }}
{{- include "testrun.checkAlerts" . }}
{{- if include "testrun.isConnected" . }}
{{- if .Values.manager.enabled }}
{{- include "testrun.checkOwner" . }}
{{- end }}
{{- include "testrun.checkCrds" . }}
{{- include "testrun.checkNamespaces" . }}
{{- if and .Values.namespace.create (not .Values.adopt) }}
{{- with lookup "v1" "Namespace" "" .Release.Namespace }}
{{- if not (include "testrun.owner" .) }}
{{- fail "namespace.create is true, and the namespace is there already: Helm needs one before it installs anything. Leave namespace.create to helm template, and use --create-namespace" }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.server.enabled .Values.server.persistence.enabled }}
{{- include "testrun.checkStorage" . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A value that is missing would read as false, and take away what it turns on. */}}
{{- define "testrun.checkComplete" -}}
{{- range .Files.Lines "files/values.txt" }}
{{- if . }}
{{- $value := $.Values }}
{{- range splitList "." . }}
{{- $value = index (default dict $value) . }}
{{- end }}
{{- if kindIs "invalid" $value }}
{{- fail (printf "The value %s is missing. If you upgrade with --reuse-values, these are the values of the chart before, which had none: use --reset-then-reuse-values instead. If it is set to null, leave it out" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "testrun.checkFlags" -}}
{{- $durations := dict
  "manager" (list "testGracePeriod" "queueGracePeriod" "retentionWaitsForArchive")
  "server" (list "keepArtifacts" "keepOutput" "keepPassedOutput" "keepRows" "sessionTime") }}
{{- range $program, $names := $durations }}
{{- range $names }}
{{- $value := include "testrun.scalar" (index $.Values $program "flags" .) }}
{{- if and (ne $value "") (not (regexMatch "^(0|([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+)$" $value)) }}
{{- fail (printf "%s.flags.%s is %s: it is a duration with a unit, such as 30s, 5m or 24h" $program . $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $program := list "manager" "server" "jobtable" }}
{{- range $name, $given := (index $.Values $program).flags }}
{{- $value := include "testrun.scalar" $given }}
{{- if and (hasSuffix "BindAddress" $name) (ne $value "") (not (regexMatch "^(0|.*:[0-9]{1,5})$" $value)) }}
{{- fail (printf "%s.flags.%s is %s: it is an address with a port, such as :8443" $program $name $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "testrun.checkParts" -}}
{{- $values := .Values }}
{{- if and .Chart.IsRoot (hasKey $values "enabled") }}
{{- fail "enabled is for a chart that has this one as a part. What is installed is said by manager.enabled, server.enabled and jobtable.namespaces" }}
{{- end }}
{{- if not (or $values.manager.enabled $values.server.enabled $values.crds.install $values.jobtable.namespaces) }}
{{- fail "manager.enabled, server.enabled and crds.install are false, and jobtable.namespaces is empty: nothing is left to install. Name a namespace for the program jobtable, or leave manager.enabled true" }}
{{- end }}
{{- if not $values.manager.enabled }}
{{- range $name, $set := dict "kueue.enabled" $values.kueue.enabled "policies.operator" $values.policies.operator }}
{{- if $set }}
{{- fail (printf "%s is true and manager.enabled is false: it is about the operator. Set it in the release that has the operator" $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- $server := $values.server }}
{{- if $server.enabled }}
{{- if and $server.flags.oidcIssuer (not (and $server.flags.oidcClientId $server.flags.pageUrl)) }}
{{- fail "server.flags.oidcIssuer is set: it needs server.flags.oidcClientId, which is what the provider calls the server, and server.flags.pageUrl, where browsers find it" }}
{{- end }}
{{- if and (not $server.flags.oidcIssuer) (or $server.flags.oidcClientId $server.oidc.existingSecret $server.oidc.caConfigMap) }}
{{- fail "Something of OIDC is set, and server.flags.oidcIssuer is not: set it to the address of the provider, as in https://login.example.com" }}
{{- end }}
{{- end }}
{{- range $program, $there := dict "manager" $values.manager.enabled "jobtable" (not (empty $values.jobtable.namespaces)) }}
{{- if and $there (eq (include "testrun.scalar" (index $values $program).flags.metricsBindAddress) "0") }}
{{- range $name := list "serviceMonitor" "prometheusRule" }}
{{- if (index $values.monitoring $name).enabled }}
{{- fail (printf "monitoring.%s.enabled is true, and %s.flags.metricsBindAddress=0 turns off what it needs: remove one of the two" $name $program) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "testrun.checkReplicas" -}}
{{- $manager := .Values.manager }}
{{- if and $manager.enabled (gt (int $manager.replicas) 1) (not $manager.flags.leaderElect) }}
{{- fail (printf "manager.replicas is %d and manager.flags.leaderElect is not true: all of them would work at once, and start more runs than a queue allows. Set manager.flags.leaderElect=true, or manager.replicas=1" (int $manager.replicas)) }}
{{- end }}
{{- $server := .Values.server }}
{{- if and $server.enabled (gt (int $server.replicas) 1) }}
{{- $needs := list }}
{{- if eq (include "testrun.isAlone" .) "true" }}
{{- $needs = append $needs "PostgreSQL (server.database.existingSecret) and S3 (server.flags.blobs=s3://…)" }}
{{- end }}
{{- if not $server.flags.leaderElect }}
{{- $needs = append $needs "server.flags.leaderElect=true" }}
{{- end }}
{{- if not (and $server.persistence.enabled (or $server.persistence.existingClaim (has "ReadWriteMany" $server.persistence.accessModes))) }}
{{- if not (or $server.session.existingSecret $server.flags.sessionKey) }}
{{- $needs = append $needs "one key for the sessions of all (server.session.existingSecret)" }}
{{- end }}
{{- if not (or $server.tls.existingSecret $server.tls.certManager.enabled $server.flags.tlsCert) }}
{{- $needs = append $needs "one certificate for all (server.tls.existingSecret or server.tls.certManager)" }}
{{- end }}
{{- if $server.persistence.enabled }}
{{- $needs = append $needs "no volume of one pod's own (server.persistence.enabled=false)" }}
{{- end }}
{{- end }}
{{- if $needs }}
{{- fail (printf "server.replicas is %d, and one replica would not find what another keeps. Several need: %s. Or set server.replicas=1" (int $server.replicas) (join "; " $needs)) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "testrun.checkJobtable" -}}
{{- $jobtable := .Values.jobtable }}
{{- $names := list }}
{{- range $number, $to := $jobtable.namespaces }}
{{- $at := printf "jobtable.namespaces[%d]" $number }}
{{- if not $to.name }}
{{- fail (printf "%s has no name: say which namespace has the application, as in %s.name=shop" $at $at) }}
{{- end }}
{{- if not $to.existingSecret }}
{{- fail (printf "%s is the namespace %s, and names no Secret: set %s.existingSecret to one of that namespace that has a key for each database, with its URL. This makes one: kubectl --namespace %s create secret generic testrun-jobtable --from-literal=shop='postgres://USER:PASSWORD@HOST/DATABASE'" $at $to.name $at $to.name) }}
{{- end }}
{{- if has $to.name $names }}
{{- fail (printf "jobtable.namespaces has %s twice: one program follows all JobTables of a namespace. Put the URLs of all its databases into one Secret, with a key for each" $to.name) }}
{{- end }}
{{- $names = append $names $to.name }}
{{- end }}
{{- if and $names (gt (int $jobtable.replicas) 1) (not $jobtable.flags.leaderElect) }}
{{- fail (printf "jobtable.replicas is %d and jobtable.flags.leaderElect is not true: all of them would ask the database at once. Set jobtable.flags.leaderElect=true, or jobtable.replicas=1" (int $jobtable.replicas)) }}
{{- end }}
{{- end -}}

{{- define "testrun.checkApis" -}}
{{- range $kind, $name := dict "ServiceMonitor" "serviceMonitor" "PrometheusRule" "prometheusRule" }}
{{- if and (index $.Values.monitoring $name).enabled (not ($.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" $kind))) }}
{{- fail (printf "monitoring.%s.enabled is true, and the cluster does not know the kind %s: install the Prometheus operator first, or set monitoring.%s.enabled=false. With helm template, add --api-versions monitoring.coreos.com/v1/%s" $name $kind $name $kind) }}
{{- end }}
{{- end }}
{{- $tls := .Values.server.tls }}
{{- if $tls.certManager.enabled }}
{{- if $tls.existingSecret }}
{{- fail "server.tls.existingSecret and server.tls.certManager.enabled are both set: one of them says where the certificate comes from. Unset the other" }}
{{- end }}
{{- if not $tls.certManager.issuerRef.name }}
{{- fail "server.tls.certManager.enabled is true, and nobody says who signs: set server.tls.certManager.issuerRef.name to the name of an Issuer (kind Issuer, in the release's namespace) or of a ClusterIssuer" }}
{{- end }}
{{- if not (.Capabilities.APIVersions.Has "cert-manager.io/v1/Certificate") }}
{{- fail "server.tls.certManager.enabled is true, and the cluster does not know the kind Certificate: install cert-manager first, or set server.tls.certManager.enabled=false, and the server makes a certificate of its own. With helm template, add --api-versions cert-manager.io/v1/Certificate" }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "testrun.checkAlerts" -}}
{{- $known := list }}
{{- range (.Files.Get "files/alerts.yaml" | fromYaml).groups }}
{{- range .rules }}
{{- $known = append $known .alert }}
{{- end }}
{{- end }}
{{- range .Values.monitoring.prometheusRule.disabled }}
{{- if not (has . $known) }}
{{- fail (printf "monitoring.prometheusRule.disabled names %s, which is no alert of this chart. Those are: %s" . (join ", " $known)) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Whose an object is: NAME in namespace NAMESPACE, of a release, or nothing if Helm did not make it. */}}
{{- define "testrun.owner" -}}
{{- $annotations := default dict .metadata.annotations }}
{{- if eq (dig "app.kubernetes.io/managed-by" "" (default dict .metadata.labels)) "Helm" }}
{{- printf "%s in namespace %s" (dig "meta.helm.sh/release-name" "?" $annotations) (dig "meta.helm.sh/release-namespace" "?" $annotations) }}
{{- end }}
{{- end -}}

{{/* One cluster has one operator: two would each start as many runs as a queue allows. */}}
{{- define "testrun.checkOwner" -}}
{{- $binding := lookup "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "" "testrun-manager" }}
{{- if $binding }}
{{- $owner := include "testrun.owner" $binding }}
{{- $self := printf "%s in namespace %s" .Release.Name .Release.Namespace }}
{{- $home := "testrun-system" }}
{{- range $binding.subjects }}
{{- $home = .namespace }}
{{- end }}
{{- if $owner }}
{{- if ne $owner $self }}
{{- fail (printf "TestRun is in this cluster already, as release %s, and two operators would start more runs than a queue allows. Change that one with helm upgrade, or uninstall it first: helm uninstall %s" $owner (replace " in namespace " " --namespace " $owner)) }}
{{- end }}
{{- else if ne $home .Release.Namespace }}
{{- fail (printf "TestRun is in this cluster already, in namespace %s, and Helm did not install it (kubectl or kustomize did). Install into that namespace, which takes it over, with: --namespace %s --set adopt=true --take-ownership --force-conflicts" $home $home) }}
{{- else if not .Values.adopt }}
{{- fail "TestRun is in this namespace already, and Helm did not install it (kubectl or kustomize did). To have this release take it over, while runs go on, add: --set adopt=true --take-ownership --force-conflicts" }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "testrun.checkCrds" -}}
{{- range $file, $_ := .Files.Glob "files/crds/*.yaml" }}
{{- $crd := $.Files.Get $file | fromYaml }}
{{- $name := $crd.metadata.name }}
{{- if not $.Values.crds.install }}
{{- /* Who has rights in one namespace only may not look up a CRD, and still sees which kinds there are. */}}
{{- if not ($.Capabilities.APIVersions.Has (printf "testrun.dev/v1alpha1/%s" $crd.spec.names.kind)) }}
{{- fail (printf "crds.install is false, and the cluster has no CRD %s: have whoever administers the cluster install them first, with the operator or with kubectl apply -k config/crd, or set crds.install=true" $name) }}
{{- end }}
{{- else if not $.Values.adopt }}
{{- with lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" $name }}
{{- $owner := include "testrun.owner" . }}
{{- if not $owner }}
{{- fail (printf "The CRD %s is in this cluster already, and Helm did not make it (kubectl or kustomize did). To have this release take the CRDs over, with every Test and TestRun, add: --set adopt=true --take-ownership --force-conflicts. To leave them as they are, add: --set crds.install=false" $name) }}
{{- else if ne $owner (printf "%s in namespace %s" $.Release.Name $.Release.Namespace) }}
{{- fail (printf "The CRD %s was kept by another release, %s. Install under that name and in that namespace again, or take the CRDs over: --set adopt=true --take-ownership --force-conflicts" $name $owner) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The namespaces that get the program jobtable are there, and nobody else has put one into them. */}}
{{- define "testrun.checkNamespaces" -}}
{{- range .Values.jobtable.namespaces }}
{{- if and (ne .name $.Release.Namespace) (not (lookup "v1" "Namespace" "" .name)) }}
{{- fail (printf "jobtable.namespaces has %s, and the cluster has no such namespace: correct the name, or make it with kubectl create namespace %s" .name .name) }}
{{- end }}
{{- $name := .name }}
{{- with lookup "apps/v1" "Deployment" .name "testrun-jobtable" }}
{{- $owner := include "testrun.owner" . }}
{{- if not $owner }}
{{- if not $.Values.adopt }}
{{- fail (printf "The program jobtable is in namespace %s already, and Helm did not install it (kubectl or kustomize did). To have this release take it over, add: --set adopt=true --take-ownership --force-conflicts" $name) }}
{{- end }}
{{- else if ne $owner (printf "%s in namespace %s" $.Release.Name $.Release.Namespace) }}
{{- fail (printf "The program jobtable is in namespace %s already, as part of release %s. Leave %s out of jobtable.namespaces, or out of that release's" $name $owner $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "testrun.checkStorage" -}}
{{- $persistence := .Values.server.persistence }}
{{- $claim := $persistence.existingClaim | default "testrun-server" }}
{{- $exists := lookup "v1" "PersistentVolumeClaim" .Release.Namespace $claim }}
{{- $instead := "or set server.persistence.enabled=false, and what is kept goes with the server's pod" }}
{{- if $exists }}
{{- else if $persistence.existingClaim }}
{{- fail (printf "server.persistence.existingClaim is %s, and namespace %s has no PersistentVolumeClaim of that name: make it first, %s" $claim .Release.Namespace $instead) }}
{{- else if ne $persistence.storageClass "-" }}
{{- $classes := dict }}
{{- $default := "" }}
{{- range (lookup "storage.k8s.io/v1" "StorageClass" "" "").items }}
{{- $_ := set $classes .metadata.name true }}
{{- if eq (dig "storageclass.kubernetes.io/is-default-class" "" (default dict .metadata.annotations)) "true" }}
{{- $default = .metadata.name }}
{{- end }}
{{- end }}
{{- $there := keys $classes | sortAlpha | join ", " | default "none" }}
{{- if and $persistence.storageClass (not (hasKey $classes $persistence.storageClass)) }}
{{- fail (printf "server.persistence.storageClass is %s, and the cluster has no such StorageClass. It has: %s. Name one of them, %s" $persistence.storageClass $there $instead) }}
{{- else if not (or $persistence.storageClass $default) }}
{{- fail (printf "The server needs a volume, and the cluster has no default StorageClass: the pod would wait for ever. The cluster's StorageClasses are: %s. Name one with server.persistence.storageClass, %s" $there $instead) }}
{{- end }}
{{- end }}
{{- end -}}
