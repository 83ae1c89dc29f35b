#!/usr/bin/env bash
# The demo: a cluster, the operator in it, the samples, and what came of them.
#
#   CLUSTER=local    a Kubernetes that is built and run here (the default)
#   CLUSTER=current  the cluster of your current kubectl context; IMG and RUNNER_IMG name images that it can pull
#   CLUSTER=kind     the kind cluster of your current kubectl context; needs docker
#
# Use it through `make demo` and `make demo-down`.
set -euo pipefail
cd "$(dirname "$0")/.."

CLUSTER=${CLUSTER:-local}
IMG=${IMG:-testrun.invalid/testrun:dev}
RUNNER_IMG=${RUNNER_IMG:-testrun.invalid/runner:dev}
NAMESPACE=testrun-demo

say() { printf '\n==> %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# show prints a command as you would type it, then runs it.
show() {
	printf '\n$ %s\n' "$*"
	"$@"
}

k() { kubectl -n "$NAMESPACE" "$@"; }

use_local_cluster() {
	export KUBECONFIG=$PWD/.cluster/kubeconfig PATH=$PWD/bin/k8s:$PATH
}

deploy_local() {
	say 'A Kubernetes of your own, with the operator in it'
	make cluster-deploy
	use_local_cluster
}

deploy_current() {
	[[ $IMG != testrun.invalid/testrun:dev && $RUNNER_IMG != testrun.invalid/runner:dev ]] ||
		fail 'CLUSTER=current needs images of the operator and of the runner that your cluster can pull:
  make docker-buildx IMG=registry.example.com/testrun:dev RUNNER_IMG=registry.example.com/testrun-runner:dev
  make demo CLUSTER=current IMG=registry.example.com/testrun:dev RUNNER_IMG=registry.example.com/testrun-runner:dev'
	say "The operator $IMG, in the cluster of context $(kubectl config current-context)"
	make deploy IMG="$IMG" RUNNER_IMG="$RUNNER_IMG"
	kubectl -n testrun-system rollout status deployment testrun-controller-manager --timeout=3m
}

deploy_kind() {
	local context
	context=$(kubectl config current-context)
	[[ $context == kind-* ]] || fail "the current kubectl context is $context, which is no kind cluster: kind create cluster"
	make docker-build IMG="$IMG" RUNNER_IMG="$RUNNER_IMG"
	kind load docker-image "$IMG" "$RUNNER_IMG" --name "${context#kind-}"
	make deploy IMG="$IMG" RUNNER_IMG="$RUNNER_IMG"
	kubectl -n testrun-system rollout restart deployment testrun-controller-manager
	kubectl -n testrun-system rollout status deployment testrun-controller-manager --timeout=3m
}

# run_samples runs them anew, also when the demo has run before.
run_samples() {
	say 'The samples'
	kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f -
	k delete -k config/samples --ignore-not-found --cascade=foreground >/dev/null
	show kubectl -n "$NAMESPACE" apply -k config/samples
	show kubectl -n "$NAMESPACE" wait --for=condition=Finished testruns --all --timeout=5m
}

# run_with prints the name of a run that ended with a verdict.
run_with() {
	k get testruns --field-selector "status.verdict=$1" -o jsonpath='{.items[0].metadata.name}'
}

show_results() {
	say 'What came of them'
	show kubectl -n "$NAMESPACE" get testruns
	show kubectl -n "$NAMESPACE" get testrun "$(run_with Failed)" -o jsonpath='{range .status.results.cases[?(@.outcome=="Failed")]}{.suite}: {.name}{"\n"}{.message}{"\n"}{end}'
	show kubectl -n "$NAMESPACE" logs --tail=-1 -l "testrun.dev/run=$(run_with Failed)"
}

how_to_go_on() {
	local flag=
	say 'How to go on'
	if [[ $CLUSTER == local ]]; then
		echo "  eval \"\$(make -s cluster-env)\"                  # kubectl, and the way to this cluster, for your shell"
	else
		flag=" CLUSTER=$CLUSTER"
	fi
	cat <<-EOF
		  kubectl config set-context --current --namespace=$NAMESPACE
		  kubectl describe testrun $(run_with Error)        # why could it not be run?
		  kubectl explain testrun.spec
		  kubectl apply -f my-testrun.yaml               # your own: start from a copy of one in config/samples
		  kubectl get testruns --watch
		  make demo-down$flag
	EOF
}

up() {
	"deploy_$CLUSTER"
	run_samples
	show_results
	how_to_go_on
}

down() {
	if [[ $CLUSTER == local ]]; then
		make cluster-down
		return
	fi
	kubectl delete namespace "$NAMESPACE" --ignore-not-found
	make undeploy IMG="$IMG"
}

case $CLUSTER in
local | current | kind) ;;
*) fail "CLUSTER is local, current or kind, not $CLUSTER" ;;
esac

case ${1:-} in
up) up ;;
down) down ;;
*) fail 'usage: hack/demo.sh up|down' ;;
esac
