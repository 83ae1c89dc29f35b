#!/usr/bin/env bash
# Sees that a program is here with which tests work: a database, of which they start servers of their own, or a browser.
# Use it through `make test`.
#   programs.sh postgres | mariadb | pgbouncer | chromium
set -euo pipefail
shopt -s nullglob

case $1 in
postgres)
	title='PostgreSQL 13 or newer' variable=POSTGRES_BIN programs=(initdb) packages=(postgresql)
	folders=(/usr/lib/postgresql/*/bin /usr/local/pgsql/bin /opt/homebrew/opt/postgresql*/bin)
	;;
mariadb) # only the programs: the package mariadb-server would start a server
	title='MariaDB 10.6 or newer' variable=MARIADB_BIN programs=(mariadbd) packages=(mariadb-server-core mariadb-client-core)
	folders=(/usr/sbin /usr/local/sbin /usr/local/bin /opt/homebrew/opt/mariadb/bin)
	;;
pgbouncer)
	title='PgBouncer' variable=PGBOUNCER_BIN programs=(pgbouncer) packages=(pgbouncer)
	folders=(/usr/sbin /usr/local/bin /opt/homebrew/opt/pgbouncer/bin)
	;;
chromium)
	title='Chromium' variable=PATH programs=(chromium chromium-browser google-chrome) packages=(chromium) folders=()
	;;
*)
	echo "usage: $0 postgres | mariadb | pgbouncer | chromium" >&2
	exit 2
	;;
esac

for program in "${programs[@]}"; do
	for folder in ${!variable:+"${!variable}"} "${folders[@]}"; do
		if [[ -x $folder/$program ]]; then exit 0; fi
	done
	if command -v "$program" >/dev/null; then exit 0; fi
done

install=(apt-get install -y --no-install-recommends "${packages[@]}")
if ! command -v apt-get >/dev/null; then
	echo "Tests need $title: install it so that $variable names the folder of ${programs[0]}."
	exit 1
fi
if [[ $(id -u) != 0 ]]; then
	echo "Tests need $title: install it as root with"
	echo "  ${install[*]}"
	exit 1
fi
# Neither the cluster that Debian's package of PostgreSQL would make, nor a server that a package would start.
mkdir -p /etc/postgresql-common
[[ -e /etc/postgresql-common/createcluster.conf ]] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
fi
echo "${install[*]}"
export DEBIAN_FRONTEND=noninteractive
"${install[@]}" >/dev/null || { apt-get update && "${install[@]}"; } >/dev/null
