package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/kit"
)

// server is the process that is measured.
type server struct {
	url string
	cmd *exec.Cmd
	log bytes.Buffer
	// ended is closed when the process has ended.
	ended chan struct{}
}

// startServer starts it with a database, and waits until it answers.
func startServer(ctx context.Context, program, database, folder, namespace string) (*server, error) {
	kubeconfig := filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, apiserver.KubeConfig, 0o600); err != nil {
		return nil, err
	}
	addresses, err := freeAddresses(ctx, 3)
	if err != nil {
		return nil, err
	}
	s := &server{url: "https://" + addresses[0]}
	s.cmd = exec.Command(program, "--data="+folder, "--database="+database, "--namespace="+namespace, "--leader-elect",
		"--api-bind-address="+addresses[0], "--push-bind-address="+addresses[1], "--health-probe-bind-address="+addresses[2])
	// As in config/server.
	s.cmd.Env, s.cmd.Stderr = append(os.Environ(), "KUBECONFIG="+kubeconfig, "GOMEMLIMIT=450MiB"), &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: `make build` makes it: %w", err)
	}
	starting, stop := context.WithCancel(ctx)
	defer stop()
	s.ended = make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // its log says why
		close(s.ended)
		stop()
	}()
	if kit.WaitUntil(starting, func() bool { return isReady(starting, addresses[2]) }) {
		return s, nil
	}
	s.stop()
	return nil, cmp.Or(ctx.Err(), fmt.Errorf("the server has ended:\n%s", &s.log))
}

func isReady(ctx context.Context, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

func freeAddresses(ctx context.Context, n int) (addresses []string, err error) {
	var listeners []net.Listener
	for range n {
		listener, listenErr := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if listenErr != nil {
			err = listenErr
			break
		}
		listeners = append(listeners, listener)
		addresses = append(addresses, listener.Addr().String())
	}
	for _, listener := range listeners {
		err = errors.Join(err, listener.Close())
	}
	return addresses, err
}

// cpu is the time of processors that it has used so far.
func (s *server) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("unexpected process state %q", stat)
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	kernel, errKernel := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+kernel) * 10 * time.Millisecond, errors.Join(errUser, errKernel)
}

// memory is what it has, and the most that it ever had, in bytes.
func (s *server) memory() (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		for name, into := range map[string]*int64{"VmRSS:": &now, "VmHWM:": &peak} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				if _, err := fmt.Sscan(rest, into); err != nil {
					return 0, 0, err
				}
				*into *= 1024
			}
		}
	}
	return now, peak, nil
}

// loadOfMachine is that of the last minute.
func loadOfMachine() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}
