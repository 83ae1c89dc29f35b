#!/usr/bin/env bash
# Makes what `make test-chart` upgrades from: the chart of the commit before, as bin/chart-before/testrun, and the images that are built of
# that commit, with the tag before, in the local cluster. BASE names another commit. Expects the cluster to be up.
set -euo pipefail
cd "$(dirname "$0")/.."

BASE=${BASE:-HEAD~1}
out=$PWD/bin/chart-before
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT

if ! git rev-parse --verify --quiet "$BASE^{commit}" >/dev/null; then
	echo "There is no commit $BASE here, as in a shallow clone: the upgrade starts from HEAD."
	BASE=HEAD
fi
git archive "$BASE" | tar -x -C "$source"
if [[ ! -f $source/charts/testrun/Chart.yaml ]]; then
	echo "The commit $(git rev-parse --short "$BASE") has no chart: the upgrade starts from this tree's, with the programs of that commit."
	mkdir -p "$source/charts"
	cp -R charts/testrun "$source/charts/"
fi
rm -rf "$out"
mkdir -p "$out"
cp -R "$source/charts/testrun" "$out/testrun"

CGO_ENABLED=0 go build -C "$source" -trimpath -ldflags '-s -w -X main.version=before' -o "$source/bin/" ./cmd/manager ./cmd/runner ./cmd/server ./cmd/jobtable
images=()
for image in manager:testrun runner:runner server:server jobtable:jobtable; do
	file=$source/bin/${image#*:}.tar
	go run -C hack/cluster . image program --name "testrun.invalid/${image#*:}:before" --output "$file" "$source/bin/${image%:*}"
	images+=("$file")
done
go run -C hack/cluster . load-image "${images[@]}"
