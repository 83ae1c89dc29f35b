#!/usr/bin/env bash
# Makes the release of HEAD twice, in circumstances that are as unlike as one machine allows, and compares every byte: another folder, another
# umask, time zone, locale and home, other settings of Go, and a build cache that is empty the second time. Use it through `make release-twice`.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
modules=$(go env GOMODCACHE)
programs=$(make -s release-programs)

# A clone of HEAD with the tools that are built here: it is the programs of the release that are compared.
clone() {
	git clone --quiet --no-local . "$work/$1"
	mkdir -p "$work/$1/bin"
	cp -r bin/tools "$work/$1/bin/tools"
}

build() { go run -C hack/release . build --version v0.0.0-twice.1 --registry registry.example.com/testrun --programs "$programs"; }

clone first
echo '==> once'
(cd "$work/first" && build)

mkdir -p "$work/a longer path"
clone 'a longer path/second'
echo '==> once more, from nothing'
(
	cd "$work/a longer path/second"
	umask 077
	touch -d '2001-02-03' README.md LICENSE config/default/kustomization.yaml
	mkdir -p "$work/home"
	export HOME=$work/home TZ=Asia/Kathmandu LC_ALL=C GOCACHE=$work/cache GOMODCACHE=$modules
	export GOFLAGS='-buildvcs=true -ldflags=-B=none -p=2' GOAMD64=v3 CGO_ENABLED=1
	env GOFLAGS=-buildvcs=false go build -C hack/release -o "$work/release" .
	"$work/release" build --root . --version v0.0.0-twice.1 --registry registry.example.com/testrun --programs "$programs"
)

cd "$work"
if ! diff -r first/dist 'a longer path/second/dist'; then
	echo 'The two releases differ.' >&2
	exit 1
fi
echo "The two releases are the same: $(wc -l <first/dist/SHA256SUMS) files."
