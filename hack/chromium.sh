#!/usr/bin/env bash
# Sees that Chromium is here: tests look at the pages in a real browser. Use it through `make test`.
set -euo pipefail

for program in chromium chromium-browser google-chrome; do
	if command -v "$program" >/dev/null; then exit 0; fi
done

install=(apt-get install -y --no-install-recommends chromium)
if ! command -v apt-get >/dev/null; then
	echo "The tests of the pages need Chromium: install it, so that your PATH leads to chromium, chromium-browser or google-chrome."
	exit 1
fi
if [[ $(id -u) != 0 ]]; then
	echo "The tests of the pages need Chromium: install it as root with"
	echo "  ${install[*]}"
	exit 1
fi
echo "${install[*]}"
export DEBIAN_FRONTEND=noninteractive
"${install[@]}" >/dev/null || { apt-get update && "${install[@]}"; } >/dev/null
