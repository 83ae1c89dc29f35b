#!/usr/bin/env bash
# Sees that MariaDB's own programs are here: the tests of job tables start a server of their own. Use it through `make test`.
set -euo pipefail

for folder in ${MARIADB_BIN:+"$MARIADB_BIN"} /usr/sbin /usr/local/sbin /usr/local/bin /opt/homebrew/opt/mariadb/bin; do
	if [[ -x $folder/mariadbd ]]; then exit 0; fi
done
if command -v mariadbd >/dev/null; then exit 0; fi

install=(apt-get install -y --no-install-recommends mariadb-server-core mariadb-client-core)
if ! command -v apt-get >/dev/null; then
	echo "The tests of job tables need MariaDB 10.6 or newer: install it, and set MARIADB_BIN to the folder of mariadbd."
	exit 1
fi
if [[ $(id -u) != 0 ]]; then
	echo "The tests of job tables need MariaDB: install it as root with"
	echo "  ${install[*]}"
	exit 1
fi
# Only the programs: the package mariadb-server would start a server.
echo "${install[*]}"
export DEBIAN_FRONTEND=noninteractive
"${install[@]}" >/dev/null || { apt-get update && "${install[@]}"; } >/dev/null
