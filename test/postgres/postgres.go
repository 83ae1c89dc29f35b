// Package postgres starts a PostgreSQL server for a test: the real one, in a folder of its own, on a socket in it and on no port.
package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// Server is a PostgreSQL server that a test has started.
type Server struct {
	// Folder holds everything: the data, the socket and the log.
	Folder string
	// PID is that of the process that listens.
	PID  int
	cmd  *exec.Cmd
	done chan struct{}
	// isKept means that the folder outlives the server.
	isKept bool
	// databases counts those that were made.
	databases atomic.Int64
}

// Start makes a database cluster and starts a server for it. settings are further ones, as "name=value". Since PostgreSQL refuses to be
// root, it runs as the user postgres then.
func Start(ctx context.Context, settings ...string) (*Server, error) {
	bin, err := folderOfPrograms()
	if err != nil {
		return nil, err
	}
	// The path of a socket has at most 107 bytes.
	folder, err := os.MkdirTemp("/tmp", "postgres")
	if err != nil {
		return nil, err
	}
	return begin(ctx, bin, &Server{Folder: folder, done: make(chan struct{})}, settings)
}

// StartIn is Start for a folder that outlives the server: what is in its databases is there again the next time. Its path is a short one.
func StartIn(ctx context.Context, folder string, settings ...string) (*Server, error) {
	bin, err := folderOfPrograms()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	return begin(ctx, bin, &Server{Folder: folder, isKept: true, done: make(chan struct{})}, settings)
}

func begin(ctx context.Context, bin string, s *Server, settings []string) (*Server, error) {
	who, err := owner(s.Folder)
	if err == nil {
		err = s.start(ctx, bin, who, settings)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// folderOfPrograms is where initdb and postgres are: Debian keeps them out of the path.
func folderOfPrograms() (string, error) {
	folders := []string{os.Getenv("POSTGRES_BIN")}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"} {
		found, _ := filepath.Glob(pattern)
		folders = append(folders, found...)
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		folders = append(folders, filepath.Dir(path))
	}
	for _, folder := range folders {
		if _, err := exec.LookPath(filepath.Join(folder, "postgres")); folder != "" && err == nil {
			return folder, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: run hack/postgres.sh, or set POSTGRES_BIN to the folder of initdb and postgres")
}

// owner gives the folder to who the server will be: the user postgres if this is root, and this user otherwise (nil).
func owner(folder string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root, and there is no user postgres: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr, os.Chown(folder, int(uid), int(gid))); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (s *Server) start(ctx context.Context, bin string, who *syscall.Credential, settings []string) error {
	data := filepath.Join(s.Folder, "data")
	if err := s.makeData(ctx, bin, data, who); err != nil {
		return err
	}
	args := []string{"-D", data, "-k", s.Folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	// Not CommandContext: a killed server leaves its children behind.
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), args...)
	var log bytes.Buffer
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.Folder, &log, &log
	s.cmd.SysProcAttr = processOf(who)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.PID = s.cmd.Process.Pid
	go func() {
		s.cmd.Wait() //nolint:errcheck // how it ended is in its log
		close(s.done)
	}()
	return s.waitUntilReady(ctx, &log)
}

// makeData makes the folder of the data, unless a server made it before.
func (s *Server) makeData(ctx context.Context, bin, data string, who *syscall.Credential) error {
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); s.isKept && err == nil {
		return nil
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=test", "--auth=trust", "--encoding=UTF8",
		"--no-sync", "--locale=C.UTF-8")
	initdb.Dir, initdb.SysProcAttr = s.Folder, processOf(who)
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return nil
}

func (s *Server) waitUntilReady(ctx context.Context, log *bytes.Buffer) error {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for db.PingContext(ctx) != nil {
		select {
		case <-s.done:
			return fmt.Errorf("PostgreSQL ended before it was ready:\n%s", log)
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL is not ready: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (s *Server) url(database string) string {
	return "postgres://test@/" + database + "?host=" + url.QueryEscape(s.Folder)
}

// NewDatabase makes an empty database and returns its URL.
func (s *Server) NewDatabase(ctx context.Context) (string, error) {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	_, err = db.ExecContext(ctx, "CREATE DATABASE "+name)
	return s.url(name), err
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

// Stop ends the server, whoever is still connected, and removes its folder, unless it outlives the server.
func (s *Server) Stop() error {
	if s.cmd != nil && s.cmd.Process != nil {
		// SIGINT is what PostgreSQL calls a fast shutdown. It lets its children end.
		s.cmd.Process.Signal(syscall.SIGINT) //nolint:errcheck // it may have ended
		<-s.done
	}
	if s.isKept {
		return nil
	}
	return os.RemoveAll(s.Folder)
}
