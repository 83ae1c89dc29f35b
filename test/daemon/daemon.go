// Package daemon starts a server for a test: the real program, in a folder of its own, on a socket in it and on no port.
package daemon

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Program is a server's program, which Debian's packages bring.
type Program struct {
	// Name is that of the file, and Title what people call it.
	Name, Title string
	// Folders are where it is looked for, beside the path: Debian keeps most servers out of it. They may be patterns, and empty.
	Folders []string
	// Install says how it comes here.
	Install string
	// Account is whom it runs as if this is root: such programs refuse to be that.
	Account string
	// End is the signal that has it stop at once, whoever is still connected.
	End syscall.Signal
}

// Server is a server that a test has started, or will.
type Server struct {
	// Folder holds everything: the data, the socket and the log.
	Folder string
	// PID is that of the process that listens.
	PID int

	program Program
	path    string
	who     *syscall.Credential
	cmd     *exec.Cmd
	done    chan struct{}
	isKept  bool
}

// New prepares a server in a new folder, which goes when it is stopped.
func New(program Program) (*Server, error) {
	// The path of a socket has at most 107 bytes.
	folder, err := os.MkdirTemp("/tmp", program.Name)
	if err != nil {
		return nil, err
	}
	return prepare(&Server{Folder: folder, program: program})
}

// NewIn is New for a folder that outlives the server. Its path is a short one.
func NewIn(program Program, folder string) (*Server, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	return prepare(&Server{Folder: folder, program: program, isKept: true})
}

func prepare(s *Server) (*Server, error) {
	err := s.find()
	if err == nil {
		err = s.giveFolder()
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// find finds the program.
func (s *Server) find() error {
	for _, pattern := range s.program.Folders {
		if pattern == "" {
			continue
		}
		found, _ := filepath.Glob(filepath.Join(pattern, s.program.Name))
		for _, path := range found {
			if _, err := exec.LookPath(path); err == nil {
				s.path = path
				return nil
			}
		}
	}
	path, err := exec.LookPath(s.program.Name)
	if err != nil {
		return fmt.Errorf("%s is not installed: %s", s.program.Title, s.program.Install)
	}
	s.path = path
	return nil
}

// giveFolder gives the folder to who the server will be: the program's account if this is root, and this user otherwise.
func (s *Server) giveFolder() error {
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup(s.program.Account)
	if err != nil {
		return fmt.Errorf("%s refuses to run as root, and there is no user %s: %w", s.program.Title, s.program.Account, err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr, os.Chown(s.Folder, int(uid), int(gid))); err != nil {
		return err
	}
	s.who = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return nil
}

// Do runs a program to its end, as the server's account. It is looked for beside the server's own program, and in the path.
func (s *Server) Do(ctx context.Context, name string, args ...string) error {
	path := filepath.Join(filepath.Dir(s.path), name)
	if _, err := exec.LookPath(path); err != nil {
		path = name
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.SysProcAttr = s.Folder, processOf(s.who, s.program.End)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, output)
	}
	return nil
}

// Start starts the server, and waits until the driver reaches it.
func (s *Server) Start(ctx context.Context, driver, url string, args ...string) error {
	// Not CommandContext: a killed server leaves its children behind.
	s.cmd = exec.Command(s.path, args...)
	var log bytes.Buffer
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.Folder, &log, &log
	s.cmd.SysProcAttr = processOf(s.who, s.program.End)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.PID, s.done = s.cmd.Process.Pid, make(chan struct{})
	go func() {
		s.cmd.Wait() //nolint:errcheck // how it ended is in its log
		close(s.done)
	}()
	db, err := sql.Open(driver, url)
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		failed := db.PingContext(ctx)
		if failed == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("%s ended before it was ready:\n%s", s.program.Title, &log)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", s.program.Title, failed)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server, whoever is still connected, and removes its folder, unless that outlives the server.
func (s *Server) Stop() error {
	if s.done != nil {
		s.cmd.Process.Signal(s.program.End) //nolint:errcheck // it may have ended
		<-s.done
	}
	if s.isKept {
		return nil
	}
	return os.RemoveAll(s.Folder)
}
