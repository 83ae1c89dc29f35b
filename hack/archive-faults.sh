#!/usr/bin/env bash
# Runs every test that counts points at which faults of the archive are tried, at all of them and on both databases, and
# prints how many there were. Use it through `make archive-faults`.
#   archive-faults.sh [REGEXP]   only the tests whose names match
set -euo pipefail

TESTRUN_POINTS=$(mktemp)
export TESTRUN_POINTS
trap 'rm -f "$TESTRUN_POINTS"' EXIT

# Such a test calls points.Of.
mapfile -t files < <(grep -rl --include='*_test.go' 'points\.Of(' internal test)
mapfile -t tests < <(awk '/^func Test/ { name = substr($2, 1, index($2, "(") - 1) } /points\.Of\(/ { print name }' "${files[@]}" |
	grep -E -- "${1:-.}")
mapfile -t packages < <(printf './%s\n' "${files[@]%/*}" | sort -u)

status=0
go test -count=1 -p=1 -timeout=60m -run="^($(IFS='|'; echo "${tests[*]}"))\$" "${packages[@]}" || status=$?

sort "$TESTRUN_POINTS" | awk -F'\t' '
	BEGIN { line = "%-75s %8s %8s\n"; printf line, "faults of the archive", "tried", "broken" }
	{ printf line, $1, $2, $3; tried += $2; broken += $3 }
	END { printf line, "all", tried + 0, broken + 0 }'
exit "$status"
