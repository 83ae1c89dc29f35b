#!/usr/bin/env bash
# Runs Flux's kustomize-controller in the local cluster (up), or removes it with all that belongs to it (down). Both are harmless when
# there is nothing to do. Expects the cluster to be up, bin/k8s/kustomize-controller to be built, and KUBECONFIG and PATH to point at the
# cluster: use `make cluster-flux` and `make cluster-flux-down`.
set -euo pipefail
cd "$(dirname "$0")/.."
LOCAL_CLUSTER=${LOCAL_CLUSTER:-go run -C hack/cluster .}

# The CRDs are those of the modules that the program is built from: its own, and those of sources, which are made from their Go types.
crds() {
	local module
	module=$(GOFLAGS=-mod=mod go list -C hack/cluster/components/flux -m -f '{{.Dir}}' github.com/fluxcd/kustomize-controller)
	cat "$module"/config/crd/bases/*.yaml
	(cd hack/cluster/components/flux && GOFLAGS= ../../../../bin/tools/controller-gen crd paths=github.com/fluxcd/source-controller/api/v1 output:crd:stdout)
}

up() {
	local image=bin/images/kustomize-controller.tar
	mkdir -p bin/images
	if [[ bin/k8s/kustomize-controller -nt $image ]]; then
		$LOCAL_CLUSTER image program --name testrun.invalid/kustomize-controller:dev --output "$PWD/$image" "$PWD/bin/k8s/kustomize-controller"
	fi
	$LOCAL_CLUSTER load-image "$PWD/$image"
	crds | kubectl apply --server-side --force-conflicts -f - >/dev/null
	kubectl apply --server-side --force-conflicts -f hack/flux/flux.yaml >/dev/null
	kubectl -n flux-system rollout status deployment kustomize-controller --timeout=3m
}

down() {
	kubectl -n flux-system delete deployment kustomize-controller --ignore-not-found
	# What it looks after has finalizers, which nobody but it would take away.
	local object
	for object in $(kubectl get kustomizations.kustomize.toolkit.fluxcd.io -A -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}'); do
		kubectl -n "${object%%/*}" patch kustomizations.kustomize.toolkit.fluxcd.io "${object#*/}" --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
	done
	crds | kubectl delete --ignore-not-found -f - >/dev/null
	kubectl delete --ignore-not-found -f hack/flux/flux.yaml >/dev/null
	echo "Flux is gone"
}

case ${1-} in
up | down) "$1" ;;
*)
	echo "usage: $0 up|down" >&2
	exit 2
	;;
esac
