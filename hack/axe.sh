#!/usr/bin/env bash
# Sees that axe-core is in bin/_axe: the tests of the pages then have it look for what keeps people out. Without npm those tests do with
# their own checks. Use it through `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."

# The folder begins with a line below: the go command does not look into it.
into=bin/_axe
if cmp -s test/browser/axe/package-lock.json $into/installed; then exit 0; fi
if ! command -v npm >/dev/null; then
	echo "npm is not installed, so the pages are tried without axe-core."
	exit 0
fi
mkdir -p $into
cp test/browser/axe/{package.json,package-lock.json,.npmrc} $into/
if (cd $into && npm ci --ignore-scripts >install.log 2>&1); then
	cp test/browser/axe/package-lock.json $into/installed
else
	rm -rf $into/node_modules
	echo "npm cannot install axe-core, so the pages are tried without it: $into/install.log"
fi
