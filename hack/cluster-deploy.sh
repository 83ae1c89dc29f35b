#!/usr/bin/env bash
# Loads the images into the local cluster and deploys the operator there, and the server if CONFIG has it. Expects the cluster to be
# up, the images to be built, and KUBECONFIG and PATH to point at the cluster: use `make cluster-deploy`.
set -euo pipefail
cd "$(dirname "$0")/.."

CONFIG=${CONFIG:-config/archive-ephemeral}

deployments() {
	kubectl -n testrun-system get deployments -o name 2>/dev/null || true
}

# shellcheck disable=SC2046,SC2086 # a word for each image
go run -C hack/cluster . load-image $(printf 'bin/images/%s.tar ' $IMAGES)

# The images keep their names, so what runs already has to be told to use the new ones.
before=$(deployments)
make deploy CONFIG="$CONFIG" IMG=testrun.invalid/testrun:dev RUNNER_IMG=testrun.invalid/runner:dev SERVER_IMG=testrun.invalid/server:dev
[[ $CONFIG != config/default ]] || kubectl -n testrun-system delete deployment testrun-server --ignore-not-found
for deployment in $(deployments); do
	if [[ " ${before//$'\n'/ } " == *" $deployment "* ]]; then kubectl -n testrun-system rollout restart "$deployment"; fi
done
for deployment in $(deployments); do
	kubectl -n testrun-system rollout status "$deployment" --timeout=3m
done
