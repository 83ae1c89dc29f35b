#!/usr/bin/env bash
# The demo of a job table: a click in a web application that knows nothing of Kubernetes becomes a finished row with its steps.
# Expects the local cluster to be up with the operator in it, and the images to be built: use `make demo-jobtable`.
set -euo pipefail
cd "$(dirname "$0")/.."

port=${PORT:-15000}
shop=http://localhost:$port

say() { printf '\n==> %s\n' "$*"; }
k() { kubectl -n shop "$@"; }
sql() { k exec deployment/db -- psql -h /tmp -U shop -d shop -c "$1"; }

say 'A database, a web application, and the program that follows its job table'
kubectl create namespace shop --dry-run=client -o yaml | kubectl apply -f -
kubectl apply -k hack/demo-jobtable
for deployment in db shop testrun-jobtable; do
	k rollout status deployment "$deployment" --timeout=3m
done
k wait --for=condition=Ready jobtable/shop --timeout=2m

say 'A click'
k port-forward service/shop "$port:80" >/dev/null &
forward=$!
# shellcheck disable=SC2064 # the number of the process is known now
trap "kill $forward 2>/dev/null || true" EXIT
until (exec 3<>"/dev/tcp/localhost/$port") 2>/dev/null; do
	kill -0 "$forward" 2>/dev/null || { echo "is port $port of this machine in use? PORT=15001 make demo-jobtable takes another one" >&2; exit 1; }
	sleep 0.2
done
printf '$ curl --request POST %s/run\n' "$shop"
curl --silent --show-error --output /dev/null --retry 5 --retry-connrefused --request POST "$shop/run"
sql 'SELECT id, test_id, status FROM job ORDER BY id DESC LIMIT 1'

say 'What became of it'
run=
until [[ -n $run ]]; do
	run=$(k get testruns --sort-by=.metadata.creationTimestamp -o name | tail -1)
	sleep 0.5
done
k wait "$run" --for=condition=Finished --timeout=3m
until [[ $(k exec deployment/db -- psql -At -h /tmp -U shop -d shop -c "SELECT count(*) FROM job WHERE status <> 'finished'") == 0 ]]; do sleep 0.5; done
sql 'SELECT id, status, jsonb_pretty(data::jsonb) AS data FROM job ORDER BY id DESC LIMIT 1'
k get testruns
k get jobtables

say 'How to go on'
cat <<-HINT
	  eval "\$(make -s cluster-env)"                     # kubectl, and the way to this cluster, for your shell
	  kubectl -n shop port-forward service/shop $port:80  # then open $shop and click
	  kubectl delete namespace shop                      # remove it
HINT
