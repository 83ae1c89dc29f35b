#!/usr/bin/env bash
# Runs every test of some folders that counts points at which something goes wrong, at all of them and on each database, and prints how
# many there were. Use it through `make archive-faults` and `make jobtable-faults`.
#   points.sh TITLE REGEXP FOLDER…   only the tests whose names match; an empty one matches all
set -euo pipefail

title=$1 regexp=${2:-.}
shift 2

TESTRUN_POINTS=$(mktemp)
export TESTRUN_POINTS
trap 'rm -f "$TESTRUN_POINTS"' EXIT

# Such a test calls points.Of.
mapfile -t files < <(grep -rl --include='*_test.go' 'points\.Of(' "$@")
mapfile -t tests < <(awk '/^func Test/ { name = substr($2, 1, index($2, "(") - 1) } /points\.Of\(/ { print name }' "${files[@]}" |
	grep -E -- "$regexp")
mapfile -t packages < <(printf './%s\n' "${files[@]%/*}" | sort -u)

status=0
go test -count=1 -p=1 -timeout=120m -run="^($(IFS='|'; echo "${tests[*]}"))\$" "${packages[@]}" || status=$?

sort "$TESTRUN_POINTS" | awk -F'\t' -v title="$title" '
	BEGIN { line = "%-75s %8s %8s\n"; printf line, title, "tried", "broken" }
	{ printf line, $1, $2, $3; tried += $2; broken += $3 }
	END { printf line, "all", tried + 0, broken + 0 }'
exit "$status"
