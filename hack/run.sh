#!/usr/bin/env bash
# Runs the operator from source against the cluster of the current kubectl context. Use it through `make run`.
set -euo pipefail
cd "$(dirname "$0")/.."

RUNNER_IMG=${RUNNER_IMG:-testrun.invalid/runner:dev}

fail() { printf 'run: %s\n' "$*" >&2; exit 1; }

context=$(kubectl config current-context)
crds=$(kubectl get crds --ignore-not-found -o name testruns.testrun.dev tests.testrun.dev testqueues.testrun.dev | wc -l)
[[ $crds -eq 3 ]] || fail "The cluster of context $context does not have the CRDs. Install them with: make install"

# Two operators at once would be safe for each run, but not for the limits of queues.
replicas=$(kubectl -n testrun-system get deployment testrun-controller-manager --ignore-not-found -o 'jsonpath={.spec.replicas}')
[[ ${replicas:-0} == 0 ]] || fail "An operator is deployed in context $context. Stop it first:
  kubectl -n testrun-system scale deployment testrun-controller-manager --replicas=0"

printf 'The operator works in the cluster of context %s. Its nodes must be able to pull the runner: %s\n' "$context" "$RUNNER_IMG"
printf 'Metrics and queues: http://127.0.0.1:8080/metrics, /queues. Ctrl-C stops it.\n'
exec go run ./cmd/manager --runner-image="$RUNNER_IMG" --zap-devel \
	--metrics-bind-address=127.0.0.1:8080 --metrics-secure=false --health-probe-bind-address=127.0.0.1:8081
