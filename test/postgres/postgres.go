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
	s := &Server{Folder: folder, done: make(chan struct{})}
	who, err := owner(folder)
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
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=test", "--auth=trust", "--encoding=UTF8",
		"--no-sync", "--locale=C.UTF-8")
	initdb.Dir, initdb.SysProcAttr = s.Folder, processOf(who)
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
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

// Stop ends the server, whoever is still connected, and removes its folder.
func (s *Server) Stop() error {
	if s.cmd != nil && s.cmd.Process != nil {
		// SIGINT is what PostgreSQL calls a fast shutdown. It lets its children end.
		s.cmd.Process.Signal(syscall.SIGINT) //nolint:errcheck // it may have ended
		<-s.done
	}
	return os.RemoveAll(s.Folder)
}
