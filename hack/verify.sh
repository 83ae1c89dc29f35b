#!/usr/bin/env bash
# Generates, tidies and lints everything, then fails if the tree differs from what is committed.
# Use it through `make verify`.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n==> %s\n' "$*"; }

step 'generate'
make generate

step 'go mod tidy'
git ls-files --cached --others --exclude-standard -- 'go.mod' '*/go.mod' | while read -r file; do
	echo "$file"
	go -C "$(dirname "$file")" mod tidy -diff
done

step 'lint'
make lint

step 'nothing left to commit'
left=$(git status --porcelain)
if [[ -n $left ]]; then
	echo 'These files are not committed. If you did not touch them, "make generate" changed them: commit the result.'
	echo "$left"
	git --no-pager diff --stat
	exit 1
fi
echo 'verified'
