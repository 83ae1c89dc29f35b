#!/usr/bin/env bash
# Loads the images into the local cluster and deploys the operator there. Expects the cluster to be up, the
# images to be built, and KUBECONFIG and PATH to point at the cluster: use `make cluster-deploy`.
set -euo pipefail
cd "$(dirname "$0")/.."

deployed() {
	[[ -n $(kubectl -n testrun-system get deployment testrun-controller-manager --ignore-not-found -o name) ]]
}

go run -C hack/cluster . load-image "$PWD"/bin/images/{testrun,runner,perl}.tar

# The image keeps its name, so an operator that runs already has to be told to use the new one.
restart=false
if deployed; then restart=true; fi

make deploy IMG=testrun.invalid/testrun:dev RUNNER_IMG=testrun.invalid/runner:dev
if $restart; then kubectl -n testrun-system rollout restart deployment testrun-controller-manager; fi
kubectl -n testrun-system rollout status deployment testrun-controller-manager --timeout=3m
