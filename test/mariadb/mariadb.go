// Package mariadb starts a MariaDB server for a test.
package mariadb

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

	_ "github.com/go-sql-driver/mysql" // the driver

	"github.com/testrun-dev/testrun/test/daemon"
)

var program = daemon.Program{
	Name: "mariadbd", Title: "MariaDB", Account: "nobody",
	Folders: []string{os.Getenv("MARIADB_BIN"), "/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/opt/mariadb/bin"},
	Install: "run hack/programs.sh mariadb, or set MARIADB_BIN to the folder of mariadbd",
	End:     syscall.SIGTERM,
}

// Server is a MariaDB server that a test has started.
type Server struct {
	*daemon.Server
	// databases counts those that were made.
	databases atomic.Int64
}

// Start starts a server. settings are further ones, as "name=value".
func Start(ctx context.Context, settings ...string) (*Server, error) {
	prepared, err := daemon.New(program)
	if err != nil {
		return nil, err
	}
	s := &Server{Server: prepared}
	data := filepath.Join(s.Folder, "data")
	err = s.Do(ctx, "mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db",
		"--skip-name-resolve")
	if err == nil {
		args := []string{
			"--no-defaults", "--datadir=" + data, "--socket=" + s.socket(), "--skip-networking", "--innodb-flush-log-at-trx-commit=0",
			"--innodb-flush-method=nosync", "--character-set-server=utf8mb4", "--pid-file=" + filepath.Join(s.Folder, "pid"), "--max-connections=200",
		}
		for _, setting := range settings {
			args = append(args, "--"+setting)
		}
		err = s.Start(ctx, "mysql", s.DSN(""), args...)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) socket() string { return filepath.Join(s.Folder, "socket") }

// DSN is how the driver reaches a database as root.
func (s *Server) DSN(database string) string { return "root@unix(" + s.socket() + ")/" + database }

// URL is how a program reaches a database as a user.
func (s *Server) URL(user, password, database string) string {
	return (&url.URL{
		Scheme: "mariadb", User: url.UserPassword(user, password), Host: "localhost", Path: "/" + database, RawQuery: "socket=" + url.QueryEscape(s.socket()),
	}).String()
}

// NewDatabase makes an empty database and returns its name.
func (s *Server) NewDatabase(ctx context.Context) (string, error) {
	db, err := sql.Open("mysql", s.DSN(""))
	if err != nil {
		return "", err
	}
	defer db.Close()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	_, err = db.ExecContext(ctx, "CREATE DATABASE "+name)
	return name, err
}
