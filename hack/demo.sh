#!/usr/bin/env bash
# The demo: a cluster, the operator and the server in it, the samples, and what came of them.
#
#   CLUSTER=local    a Kubernetes that is built and run here (the default)
#   CLUSTER=current  the cluster of your current kubectl context; IMG, RUNNER_IMG and SERVER_IMG name images that it can pull
#   CLUSTER=kind     the kind cluster of your current kubectl context; needs docker
#
# Use it through `make demo`, `make demo-page` and `make demo-down`.
set -euo pipefail
cd "$(dirname "$0")/.."

CLUSTER=${CLUSTER:-local}
IMG=${IMG:-testrun.invalid/testrun:dev}
RUNNER_IMG=${RUNNER_IMG:-testrun.invalid/runner:dev}
SERVER_IMG=${SERVER_IMG:-testrun.invalid/server:dev}
NAMESPACE=testrun-demo
flag=
[[ $CLUSTER == local ]] || flag=" CLUSTER=$CLUSTER"
# Where make demo-page has the page.
port=${PORT:-18443}
page=https://localhost:$port

say() { printf '\n==> %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# show prints a command as you would type it, then runs it.
show() {
	printf '\n$ %s\n' "$*"
	"$@"
}

# The server keeps what runs said for as long as its pod lives: not every cluster has storage to offer.
deploy() { make deploy CONFIG=config/archive-ephemeral IMG="$IMG" RUNNER_IMG="$RUNNER_IMG" SERVER_IMG="$SERVER_IMG"; }

wait_for_deployments() {
	kubectl -n testrun-system rollout status deployment testrun-controller-manager --timeout=3m
	kubectl -n testrun-system rollout status deployment testrun-server --timeout=3m
}

k() { kubectl -n "$NAMESPACE" "$@"; }

use_local_cluster() {
	export KUBECONFIG=$PWD/.cluster/kubeconfig PATH=$PWD/bin/k8s:$PATH
}

deploy_local() {
	say 'A Kubernetes of your own, with the operator and the server in it'
	make cluster-deploy
	use_local_cluster
}

deploy_current() {
	[[ $IMG != testrun.invalid/* && $RUNNER_IMG != testrun.invalid/* && $SERVER_IMG != testrun.invalid/* ]] ||
		fail 'CLUSTER=current needs images of the operator, the runner and the server that your cluster can pull:
  images="IMG=registry.example.com/testrun:dev RUNNER_IMG=registry.example.com/testrun-runner:dev SERVER_IMG=registry.example.com/testrun-server:dev"
  make docker-buildx $images
  make demo CLUSTER=current $images'
	say "The operator $IMG, in the cluster of context $(kubectl config current-context)"
	deploy
	wait_for_deployments
}

deploy_kind() {
	local context
	context=$(kubectl config current-context)
	[[ $context == kind-* ]] || fail "the current kubectl context is $context, which is no kind cluster: kind create cluster"
	make docker-build IMG="$IMG" RUNNER_IMG="$RUNNER_IMG" SERVER_IMG="$SERVER_IMG"
	kind load docker-image "$IMG" "$RUNNER_IMG" "$SERVER_IMG" --name "${context#kind-}"
	deploy
	kubectl -n testrun-system rollout restart deployment testrun-controller-manager testrun-server
	wait_for_deployments
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

# archive asks the server for something, as somebody who may view the demo's namespace. $archive is where it listens.
archive() {
	printf '\n$ curl --insecure --header "Authorization: Bearer $token" %s\n' "$archive/$1"
	curl --insecure --silent --show-error --fail-with-body --retry 10 --retry-connrefused --retry-delay 1 \
		--header "Authorization: Bearer $token" "$archive/$1"
	echo
}

# show_archive deletes a run, and asks for what it said.
show_archive() {
	local run token forward archive=https://localhost:18443/api/v1/namespaces/$NAMESPACE
	run=$(run_with Failed)
	say 'A deleted run, and what is kept of it'
	command -v curl >/dev/null || { echo 'curl is not installed: docs/archive.md says how to ask the server'; return; }
	k create serviceaccount reader --dry-run=client -o yaml | kubectl apply -f - >/dev/null
	k create rolebinding reader --clusterrole=view --serviceaccount="$NAMESPACE:reader" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
	show kubectl -n "$NAMESPACE" delete testrun "$run"
	printf '\n$ token=$(kubectl -n %s create token reader)\n' "$NAMESPACE"
	token=$(k create token reader)
	printf '$ kubectl -n testrun-system port-forward service/testrun-server 18443:443 &\n'
	kubectl -n testrun-system port-forward service/testrun-server 18443:443 >/dev/null &
	forward=$!
	# shellcheck disable=SC2064 # the number of the process is known now
	trap "kill $forward 2>/dev/null || true" EXIT
	until (exec 3<>/dev/tcp/localhost/18443) 2>/dev/null; do
		kill -0 "$forward" 2>/dev/null || fail 'kubectl port-forward has ended: is port 18443 of this machine in use?'
		sleep 0.2
	done
	archive "runs/$run/cases"
	archive "runs/$run/output"
	kill "$forward"
}

# add_guest makes an account for people who try the page: it may do everything with tests and runs in the demo's namespace, and pause queues.
add_guest() {
	k create serviceaccount guest --dry-run=client -o yaml | kubectl apply -f - >/dev/null
	k create rolebinding guest --clusterrole=edit --serviceaccount="$NAMESPACE:guest" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
	kubectl create clusterrolebinding testrun-demo-guest --clusterrole=testrun-queue-editor --serviceaccount="$NAMESPACE:guest" \
		--dry-run=client -o yaml | kubectl apply -f - >/dev/null
}

# show_page says where people look.
show_page() {
	add_guest
	say 'The page'
	cat <<-EOF
		  make demo-page$flag                            # opens $page, and prints a token to log in with
		  kubectl -n $NAMESPACE create token guest       # another token
	EOF
}

# open_page leads to the page until it is interrupted.
open_page() {
	local forward
	[[ $CLUSTER != local ]] || use_local_cluster
	k get serviceaccount guest >/dev/null || fail 'there is no demo in this cluster: make demo'
	kubectl -n testrun-system port-forward service/testrun-server "$port:443" >/dev/null &
	forward=$!
	# shellcheck disable=SC2064 # the number of the process is known now
	trap "kill $forward 2>/dev/null || true" EXIT
	until (exec 3<>"/dev/tcp/localhost/$port") 2>/dev/null; do
		kill -0 "$forward" 2>/dev/null || fail "kubectl port-forward has ended: is port $port of this machine in use? PORT=18444 make demo-page takes another one"
		sleep 0.2
	done
	say "$page"
	echo 'The server has signed its certificate itself: your browser asks whether you trust it.'
	echo 'Log in with this token. It is one of an account that may run tests in the namespace of the demo:'
	printf '\n%s\n\n' "$(k create token guest --duration=12h)"
	if [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] && command -v xdg-open >/dev/null; then xdg-open "$page" || true; fi
	echo 'Ctrl-C ends it.'
	wait "$forward"
}

how_to_go_on() {
	say 'How to go on'
	if [[ $CLUSTER == local ]]; then
		echo "  eval \"\$(make -s cluster-env)\"                  # kubectl, and the way to this cluster, for your shell"
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
	show_archive
	how_to_go_on
	show_page
}

down() {
	if [[ $CLUSTER == local ]]; then
		make cluster-down
		return
	fi
	kubectl delete namespace "$NAMESPACE" --ignore-not-found
	kubectl delete clusterrolebinding testrun-demo-guest --ignore-not-found
	make undeploy CONFIG=config/archive-ephemeral
}

case $CLUSTER in
local | current | kind) ;;
*) fail "CLUSTER is local, current or kind, not $CLUSTER" ;;
esac

case ${1:-} in
up) up ;;
page) open_page ;;
down) down ;;
*) fail 'usage: hack/demo.sh up|page|down' ;;
esac
