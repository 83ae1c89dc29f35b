//go:build linux

package supervise

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// StartError says why a command could not be started.
type StartError struct {
	Program string
	Err     error
}

func (e *StartError) Error() string { return fmt.Sprintf("exec: %q: %v", e.Program, e.Err) }

func (e *StartError) Unwrap() error { return e.Err }

// ExitCode is what shells exit with in this case: 127 for a program that was not found, 126 for one that cannot be executed.
func (e *StartError) ExitCode() int {
	if errors.Is(e.Err, errNotInPath) || errors.Is(e.Err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

var errNotInPath = errors.New("executable file not found in $PATH")

// defaultPath is where container runtimes look for programs if there is no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// start starts the command and the pumps of its streams.
func (s *supervisor) start(cmd Command) error {
	program := ""
	if len(cmd.Args) > 0 {
		program = cmd.Args[0]
	}
	path, err := lookUp(program)
	if err != nil {
		return &StartError{program, err}
	}
	files := []uintptr{cmd.Stdin.Fd()}
	if files, err = s.connect(files, cmd.Stdout, cmd.Stderr); err != nil {
		return &StartError{program, err}
	}

	// The command must not get the other files of this process. Kernels before 5.11 cannot do this: then the command gets what it
	// would have had without a supervisor.
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: files, Sys: processGroup(cmd)}
	if s.pid, err = syscall.ForkExec(path, cmd.Args, attr); err != nil {
		if s.pumps != nil {
			s.pumps.finish()
			s.pumps.wait()
		}
		if _, missing := os.Stat(path); errors.Is(err, fs.ErrNotExist) && missing == nil {
			err = fmt.Errorf("%w: the file is there, but not the interpreter that it names", err)
		}
		return &StartError{program, err}
	}
	return nil
}

// connect adds the files that the command writes its streams to.
func (s *supervisor) connect(files []uintptr, streams ...Stream) ([]uintptr, error) {
	var carried []Stream
	for _, stream := range streams {
		if !stream.direct() {
			carried = append(carried, stream)
		}
	}
	if len(carried) > 0 {
		var err error
		if s.pumps, err = newPumps(carried); err != nil {
			return nil, err
		}
	}
	pipes := 0
	for _, stream := range streams {
		if stream.direct() {
			files = append(files, stream.To.Fd())
			continue
		}
		files = append(files, uintptr(s.pumps.pipes[pipes].in))
		pipes++
	}
	return files, nil
}

// processGroup gives the command a process group of its own. If this process was in the foreground of a terminal, the group is
// now. So keys like ^C reach the command and its children once: in a common group the supervisor would get the signal too, and
// forward it. And a script that ends with "kill 0" does not hit the supervisor. The session is the same: the command keeps its
// terminal.
func processGroup(cmd Command) *syscall.SysProcAttr {
	for _, file := range []*os.File{cmd.Stdin, cmd.Stdout.To, cmd.Stderr.To} {
		terminal := int(file.Fd())
		if foreground, err := unix.IoctlGetInt(terminal, unix.TIOCGPGRP); err == nil && foreground == unix.Getpgrp() {
			return &syscall.SysProcAttr{Foreground: true, Ctty: terminal}
		}
	}
	return &syscall.SysProcAttr{Setpgid: true}
}

// lookUp finds a program as execvp(3) does. Unlike os/exec it accepts relative entries of PATH.
func lookUp(program string) (string, error) {
	if strings.Contains(program, "/") {
		return program, nil
	}
	dirs, ok := os.LookupEnv("PATH")
	if !ok {
		dirs = defaultPath
	}
	notFound := errNotInPath
	for dir := range strings.SplitSeq(dirs, ":") {
		path := cmp.Or(dir, ".") + "/" + program
		info, err := os.Stat(path)
		switch {
		case err != nil || program == "":
		case info.IsDir() || unix.Access(path, unix.X_OK) != nil:
			notFound = syscall.EACCES // unless a later directory has one that can be executed
		default:
			return path, nil
		}
	}
	return "", notFound
}
