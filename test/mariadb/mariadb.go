// Package mariadb starts a MariaDB server for a test: the real one, in a folder of its own, on a socket in it and on no port.
package mariadb

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

	_ "github.com/go-sql-driver/mysql" // the driver
)

// Server is a MariaDB server that a test has started.
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

// Start starts a server. settings are further ones, as "name=value". As root, it runs as the user nobody.
func Start(ctx context.Context, settings ...string) (*Server, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	// The path of a socket has at most 107 bytes.
	folder, err := os.MkdirTemp("/tmp", "mariadb")
	if err != nil {
		return nil, err
	}
	s := &Server{Folder: folder, done: make(chan struct{})}
	who, err := owner(folder)
	if err == nil {
		err = s.start(ctx, program, who, settings)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// find is where mariadbd is: Debian keeps it out of the path of users.
func find() (string, error) {
	for _, folder := range []string{os.Getenv("MARIADB_BIN"), "/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/opt/mariadb/bin"} {
		if path, err := exec.LookPath(filepath.Join(folder, "mariadbd")); folder != "" && err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("mariadbd")
	if err != nil {
		return "", errors.New("MariaDB is not installed: run hack/mariadb.sh, or set MARIADB_BIN to the folder of mariadbd")
	}
	return path, nil
}

// owner gives the folder to who the server will be: the user nobody if this is root, and this user otherwise (nil).
func owner(folder string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("MariaDB refuses to run as root, and there is no user nobody: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr, os.Chown(folder, int(uid), int(gid))); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (s *Server) start(ctx context.Context, program string, who *syscall.Credential, settings []string) error {
	data := filepath.Join(s.Folder, "data")
	install := exec.CommandContext(ctx, "mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db",
		"--skip-name-resolve")
	install.Dir, install.SysProcAttr = s.Folder, processOf(who)
	if output, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, output)
	}
	args := []string{
		"--no-defaults", "--datadir=" + data, "--socket=" + s.socket(), "--skip-networking", "--innodb-flush-log-at-trx-commit=0",
		"--innodb-flush-method=nosync", "--character-set-server=utf8mb4", "--pid-file=" + filepath.Join(s.Folder, "pid"), "--max-connections=200",
	}
	for _, setting := range settings {
		args = append(args, "--"+setting)
	}
	s.cmd = exec.Command(program, args...)
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

func (s *Server) socket() string { return filepath.Join(s.Folder, "socket") }

func (s *Server) waitUntilReady(ctx context.Context, log *bytes.Buffer) error {
	db, err := sql.Open("mysql", s.DSN(""))
	if err != nil {
		return err
	}
	defer db.Close()
	for db.PingContext(ctx) != nil {
		select {
		case <-s.done:
			return fmt.Errorf("MariaDB ended before it was ready:\n%s", log)
		case <-ctx.Done():
			return fmt.Errorf("MariaDB is not ready: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

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

// Stop ends the server, whoever is still connected, and removes its folder.
func (s *Server) Stop() error {
	if s.cmd != nil && s.cmd.Process != nil {
		s.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		<-s.done
	}
	return os.RemoveAll(s.Folder)
}
