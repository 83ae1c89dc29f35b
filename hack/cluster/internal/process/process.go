package process

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Spec is a program to start.
type Spec struct {
	Name string
	Path string
	Args []string
	Env  []string
	Log  string
	Mark string // the environment variable that is set to Name
}

// Started is a program that was started: it ends in its own time, and Exited says how if it does so while we look.
type Started struct {
	Identity
	Exited <-chan string
}

// Start runs the program in a session of its own with its output in its log, so that it outlives us and no Ctrl-C
// reaches it. Its environment holds what the spec says and nothing of the caller's: no proxy, no credentials.
func Start(spec Spec) (Started, error) {
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o755); err != nil {
		return Started{}, err
	}
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return Started{}, err
	}
	defer log.Close()
	fmt.Fprintf(log, "--- %s starts %s\n", time.Now().Format(time.RFC3339), spec.Name)

	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env = append(append([]string{}, spec.Env...), spec.Mark+"="+spec.Name)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return Started{}, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		_ = cmd.Wait()
		return Started{}, fmt.Errorf("%s ended at once, see %s", spec.Name, spec.Log)
	}
	exited := make(chan string, 1)
	go func() {
		_ = cmd.Wait() // the state says it better
		exited <- cmd.ProcessState.String()
	}()
	return Started{Identity: id, Exited: exited}, nil
}

// Stop asks the process to end, and ends it when it has not done so within the grace period.
func Stop(ctx context.Context, id Identity, grace time.Duration) error {
	if signal(id, syscall.SIGTERM) && gone(ctx, id, grace) {
		return nil
	}
	return Kill(ctx, id)
}

// Kill ends the process at once.
func Kill(ctx context.Context, id Identity) error {
	if signal(id, syscall.SIGKILL) && !gone(ctx, id, 10*time.Second) {
		return fmt.Errorf("process %d does not end, not even on SIGKILL", id.PID)
	}
	return nil
}

// signal reports whether there was a process to signal.
func signal(id Identity, s syscall.Signal) bool {
	return id.Alive() && syscall.Kill(id.PID, s) == nil
}

func gone(ctx context.Context, id Identity, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for id.Alive() {
		select {
		case <-ctx.Done():
			return !id.Alive()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return true
}

// Marked lists the processes whose environment holds the mark: what was started but never recorded, and the shims
// that containerd started.
func Marked(mark string) []Identity {
	entries, _ := filepath.Glob("/proc/[0-9]*/environ")
	var found []Identity
	for _, path := range entries {
		env, err := os.ReadFile(path)
		if err != nil || !hasVariable(env, mark) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if id, err := Identify(pid); err == nil {
			found = append(found, id)
		}
	}
	return found
}

// hasVariable looks for a variable in the form of /proc/<pid>/environ: NAME=value, each ended by a zero byte.
func hasVariable(environ []byte, name string) bool {
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.HasPrefix(entry, []byte(name+"=")) {
			return true
		}
	}
	return false
}
