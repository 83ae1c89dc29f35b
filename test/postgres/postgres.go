// Package postgres starts a PostgreSQL server for a test, and PgBouncer in front of it.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/testrun-dev/testrun/test/daemon"
)

var program = daemon.Program{
	Name: "postgres", Title: "PostgreSQL", Account: "postgres",
	Folders: []string{os.Getenv("POSTGRES_BIN"), "/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"},
	Install: "run hack/programs.sh postgres, or set POSTGRES_BIN to the folder of initdb and postgres",
	End:     syscall.SIGINT, // which PostgreSQL calls a fast shutdown; it lets its children end
}

// Server is a PostgreSQL server that a test has started.
type Server struct {
	*daemon.Server
	// databases counts those that were made.
	databases atomic.Int64
}

// Start makes a database cluster and starts a server for it. settings are further ones, as "name=value".
func Start(ctx context.Context, settings ...string) (*Server, error) {
	prepared, err := daemon.New(program)
	if err != nil {
		return nil, err
	}
	return start(ctx, prepared, settings)
}

// StartIn is Start for a folder that outlives the server: what is in its databases is there again the next time. Its path is a short one.
func StartIn(ctx context.Context, folder string, settings ...string) (*Server, error) {
	prepared, err := daemon.NewIn(program, folder)
	if err != nil {
		return nil, err
	}
	return start(ctx, prepared, settings)
}

func start(ctx context.Context, prepared *daemon.Server, settings []string) (s *Server, err error) {
	s = &Server{Server: prepared}
	data := filepath.Join(s.Folder, "data")
	if _, isNew := os.Stat(filepath.Join(data, "PG_VERSION")); isNew != nil {
		err = s.Do(ctx, "initdb", "--pgdata="+data, "--username=test", "--auth=trust", "--encoding=UTF8", "--no-sync", "--locale=C.UTF-8")
	}
	if err == nil {
		args := []string{"-D", data, "-k", s.Folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"}
		for _, setting := range settings {
			args = append(args, "-c", setting)
		}
		err = s.Start(ctx, "pgx", s.url("postgres"), args...)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) url(database string) string {
	return "postgres://test@/" + database + "?host=" + url.QueryEscape(s.Folder)
}

// NewDatabase makes an empty database and returns its URL.
func (s *Server) NewDatabase(ctx context.Context) (string, error) {
	return s.Database(ctx, fmt.Sprintf("test%d", s.databases.Add(1)))
}

// Database is the URL of a database with a name, which is made if there is none.
func (s *Server) Database(ctx context.Context, name string) (string, error) {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	var found int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM pg_database WHERE datname = $1", name).Scan(&found); err != nil {
		return "", err
	}
	if found == 0 {
		_, err = db.ExecContext(ctx, "CREATE DATABASE "+name)
	}
	return s.url(name), err
}
