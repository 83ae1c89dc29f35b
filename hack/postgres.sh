#!/usr/bin/env bash
# Sees that PostgreSQL's own programs are here: the tests of the archive start a server of their own. Use it through `make test`.
set -euo pipefail

shopt -s nullglob
for folder in ${POSTGRES_BIN:+"$POSTGRES_BIN"} /usr/lib/postgresql/*/bin /usr/local/pgsql/bin /opt/homebrew/opt/postgresql*/bin; do
	if [[ -x $folder/initdb && -x $folder/postgres ]]; then exit 0; fi
done
if command -v initdb >/dev/null && command -v postgres >/dev/null; then exit 0; fi

# Without the cluster that Debian's package would make and start.
install=(apt-get install -y --no-install-recommends postgresql)
if ! command -v apt-get >/dev/null; then
	echo "The tests of the archive need PostgreSQL 13 or newer: install it, and set POSTGRES_BIN to the folder of initdb and postgres."
	exit 1
fi
if [[ $(id -u) != 0 ]]; then
	echo "The tests of the archive need PostgreSQL: install it as root with"
	echo "  ${install[*]}"
	exit 1
fi
mkdir -p /etc/postgresql-common
[[ -e /etc/postgresql-common/createcluster.conf ]] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
echo "${install[*]}"
export DEBIAN_FRONTEND=noninteractive
"${install[@]}" >/dev/null || { apt-get update && "${install[@]}"; } >/dev/null
