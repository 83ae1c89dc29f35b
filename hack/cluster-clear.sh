#!/usr/bin/env bash
# Removes TestRun from the local cluster, however it was installed: by kustomize, by helm, or half. Expects KUBECONFIG and PATH to point at
# the cluster: use `make cluster-clear`. All Tests and runs go with the CRDs.
set -euo pipefail
cd "$(dirname "$0")/.."

context=$(kubectl config current-context)
[[ $KUBECONFIG == "$PWD"/.cluster/* ]] || { echo "cluster-clear: $KUBECONFIG (context $context) is not the local cluster" >&2; exit 1; }

# Without their controllers first, so that nothing is made anew while the rest goes.
kubectl delete namespace testrun-system --ignore-not-found
# shellcheck disable=SC2046 # a word for each CRD
crds=$(kubectl get crds -o name | grep '\.testrun\.dev$' || true)
[[ -z $crds ]] || kubectl delete $crds
for kind in clusterrolebinding clusterrole validatingadmissionpolicybinding validatingadmissionpolicy; do
	kubectl delete "$kind" -l app.kubernetes.io/name=testrun --ignore-not-found
done
