package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// program is the program itself, as it is shipped.
type program struct{ cmd *exec.Cmd }

func (b *bench) start(ctx context.Context) (*program, error) {
	path, config := filepath.Join(b.folder, "program"), filepath.Join(b.folder, "kubeconfig")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "github.com/testrun-dev/testrun/cmd/jobtable")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the program: %w\n%s", err, out)
	}
	if err := os.WriteFile(config, apiserver.KubeConfig, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "--kubeconfig="+config, "--namespace="+namespace, "--databases="+b.folder, "--metrics-bind-address=0",
		"--health-probe-bind-address=0", "--zap-log-level=error")
	cmd.Stderr = os.Stderr
	return &program{cmd}, cmd.Start()
}

func (p *program) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// pause has the program do nothing at all, and resume has it go on.
func (p *program) pause() error  { return p.cmd.Process.Signal(syscall.SIGSTOP) }
func (p *program) resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// processorTimes is what the program, and those whom it asks, have used: by the names of the programs.
func (b *bench) processorTimes(p *program) (map[string]time.Duration, error) {
	times := map[string]time.Duration{}
	folders, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range folders {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// PID (NAME) STATE PARENT …: utime, stime, cutime and cstime are the 14th to the 17th.
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(fields[1])
		name := ""
		switch {
		case pid == p.cmd.Process.Pid:
			name = "jobtable"
		case pid == b.server.PID, parent == b.server.PID:
			name = "PostgreSQL"
		case pid == os.Getpid():
			name = "the tests' operator"
		case parent == os.Getpid() && strings.Contains(string(text), "(kube-apiserver)"):
			name = "kube-apiserver"
		case parent == os.Getpid() && strings.Contains(string(text), "(etcd)"):
			name = "etcd"
		default:
			continue
		}
		for i, field := range fields[11:15] {
			ticks, _ := strconv.Atoi(field)
			if i < 2 || name == "PostgreSQL" { // whose connections have processes of their own, and end
				times[name] += time.Duration(ticks) * time.Second / 100
			}
		}
	}
	return times, nil
}
