package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/testrun-dev/testrun/test/daemon"
)

var pgBouncer = daemon.Program{
	Name: "pgbouncer", Title: "PgBouncer", Account: "postgres",
	Folders: []string{os.Getenv("PGBOUNCER_BIN"), "/usr/sbin", "/usr/local/bin", "/opt/homebrew/opt/pgbouncer/bin"},
	Install: "run hack/programs.sh pgbouncer, or set PGBOUNCER_BIN to the folder of pgbouncer",
	End:     syscall.SIGTERM, // at once
}

// Pooler is a PgBouncer in front of a server. It gives each transaction one of a few connections.
type Pooler struct{ *daemon.Server }

// StartPooler starts a PgBouncer with that many connections for each database and user. url is that of a database on the server; users are
// all who may log in, as "name:password".
func StartPooler(ctx context.Context, s *Server, url string, connections int, users ...string) (*Pooler, error) {
	prepared, err := daemon.New(pgBouncer)
	if err != nil {
		return nil, err
	}
	p := &Pooler{prepared}
	var list strings.Builder
	for _, user := range users {
		name, password, _ := strings.Cut(user, ":")
		fmt.Fprintf(&list, "%q %q\n", name, password)
	}
	settings := fmt.Sprintf(`[databases]
* = host=%s
[pgbouncer]
listen_addr =
unix_socket_dir = %s
auth_type = scram-sha-256
auth_file = users
pool_mode = transaction
default_pool_size = %d
`, s.Folder, p.Folder, connections)
	err = errors.Join(
		os.WriteFile(filepath.Join(p.Folder, "users"), []byte(list.String()), 0o644),
		os.WriteFile(filepath.Join(p.Folder, "settings"), []byte(settings), 0o644))
	if err == nil {
		err = p.Start(ctx, "pgx", p.Through(url), "settings")
	}
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// Through is the URL of a database by way of the pooler.
func (p *Pooler) Through(direct string) string {
	parsed, err := url.Parse(direct)
	if err != nil {
		return direct
	}
	parsed.RawQuery = url.Values{"host": {p.Folder}, "port": {"6432"}}.Encode()
	return parsed.String()
}
