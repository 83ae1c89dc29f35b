#!/usr/bin/env bash
# Runs Kueue in the local cluster (up), or removes it with all its queues and workloads (down). Both are harmless when there is
# nothing to do. Expects the cluster to be up, bin/k8s/kueue-manager to be built, and KUBECONFIG and PATH to point at the
# cluster: use `make cluster-kueue` and `make cluster-kueue-down`.
set -euo pipefail
cd "$(dirname "$0")/.."
LOCAL_CLUSTER=${LOCAL_CLUSTER:-go run -C hack/cluster .}

# The manifests are those of the module that the program is built from, with the image that is made here.
manifests() {
	local module
	module=$(GOFLAGS=-mod=mod go list -C hack/cluster/components/kueue -m -f '{{.Dir}}' sigs.k8s.io/kueue)
	bin/tools/kustomize build "$module/config/default" |
		sed -E -e 's|image: .*/kueue/kueue:.*|image: testrun.invalid/kueue:dev|' -e 's|imagePullPolicy: Always|imagePullPolicy: IfNotPresent|'
}

# The container's command is /manager.
image() {
	mkdir -p bin/kueue
	cp --update bin/k8s/kueue-manager bin/kueue/manager
	if [[ bin/kueue/manager -nt bin/images/kueue.tar ]]; then
		$LOCAL_CLUSTER image program --name testrun.invalid/kueue:dev --output "$PWD/bin/images/kueue.tar" "$PWD/bin/kueue/manager"
	fi
	$LOCAL_CLUSTER load-image "$PWD/bin/images/kueue.tar"
}

up() {
	image
	manifests | kubectl apply --server-side --force-conflicts -f - >/dev/null
	kubectl -n kueue-system rollout status deployment kueue-controller-manager --timeout=5m
	# Ready is not yet reachable: the webhook's certificate has to arrive, and Services to be updated.
	for _ in {1..60}; do
		if kubectl create job kueue-probe --image=none --dry-run=server >/dev/null 2>&1; then
			echo "Kueue is ready"
			return
		fi
		sleep 1
	done
	kubectl create job kueue-probe --image=none --dry-run=server >/dev/null
}

down() {
	# Its webhooks first: without Kueue they would refuse what follows.
	kubectl delete validatingwebhookconfigurations,mutatingwebhookconfigurations -l app.kubernetes.io/name=kueue --ignore-not-found
	local kind object
	for kind in $(kubectl api-resources --api-group=kueue.x-k8s.io -o name); do
		for object in $(kubectl get "$kind" -A -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}'); do
			local where=()
			if [[ ${object%%/*} ]]; then where=(-n "${object%%/*}"); fi
			kubectl "${where[@]}" delete "$kind" "${object#*/}" --wait=false >/dev/null
			kubectl "${where[@]}" patch "$kind" "${object#*/}" --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null 2>&1 || true
		done
	done
	manifests | kubectl delete --ignore-not-found -f - >/dev/null
	echo "Kueue is gone"
}

case ${1-} in
up | down) "$1" ;;
*)
	echo "usage: $0 up|down" >&2
	exit 2
	;;
esac
