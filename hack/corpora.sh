#!/usr/bin/env bash
# Installs test tools, and tries the readers of results on what they write. Use it through `make corpora`; its arguments are
# those of test/corpora.
set -euo pipefail
cd "$(dirname "$0")/.."

# A program, and the Debian package that brings it.
programs=(
	node:nodejs npm:npm prove:perl pytest:python3-pytest bats:bats ctest:cmake make:make c++:g++ phpunit:phpunit rspec:ruby-rspec
)
# What is no program: a file, and its package.
files=(
	/usr/lib/python3/dist-packages/pytest_rerunfailures.py:python3-pytest-rerunfailures
	/usr/lib/python3/dist-packages/xdist:python3-pytest-xdist
	/usr/lib/python3/dist-packages/pytest_subtests:python3-pytest-subtests
)
missing=()
for pair in "${programs[@]}"; do command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}"); done
for pair in "${files[@]}"; do compgen -G "${pair%:*}*" >/dev/null || missing+=("${pair##*:}"); done
if ((${#missing[@]})); then
	install=(apt-get install -y --no-install-recommends "${missing[@]}")
	if [[ $(id -u) != 0 ]]; then
		echo "corpora needs test tools: install them as root with"
		echo "  ${install[*]}"
		exit 1
	fi
	echo "${install[*]}"
	export DEBIAN_FRONTEND=noninteractive
	"${install[@]}" >/dev/null || { apt-get update && "${install[@]}"; } >/dev/null
fi

# The folder begins with a line below: the go command does not look into it.
tools=bin/_corpora
mkdir -p $tools
if ! cmp -s test/corpora/testdata/js/package-lock.json $tools/installed; then
	cp test/corpora/testdata/js/{package.json,package-lock.json,.npmrc} $tools/
	(cd $tools && npm ci --ignore-scripts)
	cp $tools/package-lock.json $tools/installed
fi
exec go run -C test/corpora . "$@"
