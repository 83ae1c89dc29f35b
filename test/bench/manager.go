package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// manager is the operator's real binary, as a process of its own.
type manager struct {
	command *exec.Cmd
	dir     string
	exited  chan struct{} // closed when it has
	pprof   string        // the address
}

// startManager starts the operator with the flags that it is deployed with, but for its addresses, and waits until its caches
// are filled.
func startManager(ctx context.Context, c *cluster, program, logFile string) (*manager, error) {
	token, err := c.operatorToken(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	m := &manager{dir: dir, exited: make(chan struct{})}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfigOf(c.config, token), kubeconfig); err != nil {
		return nil, err
	}
	health, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if m.pprof, err = freeAddress(); err != nil {
		return nil, err
	}
	output, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	m.command = exec.Command(program, append(c.managerArgs,
		"--kubeconfig="+kubeconfig, "--leader-election-namespace="+operatorNamespace,
		"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address="+health, "--pprof-bind-address="+m.pprof)...)
	m.command.Stdout, m.command.Stderr = output, output
	m.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the operator: %w", err)
	}
	go func() {
		_ = m.command.Wait() // its log says why
		close(m.exited)
	}()
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		select {
		case <-m.exited:
			return false, errors.New("it has ended")
		default:
			return isReady(ctx, "http://"+health+"/readyz"), nil
		}
	})
	if err != nil {
		return m, fmt.Errorf("the operator does not get ready, see %s: %w", logFile, err)
	}
	return m, nil
}

// profile writes into a file how the operator spends its CPU time during the next seconds. The profile is complete, or has failed,
// when the returned function returns.
func (m *manager) profile(ctx context.Context, file string) (wait func() error) {
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.pprof+"/debug/pprof/profile?seconds=8", http.NoBody)
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return fmt.Errorf("profiling the operator: %w", err)
			}
			defer response.Body.Close()
			content, err := io.ReadAll(response.Body)
			return errors.Join(err, os.WriteFile(file, content, 0o644))
		}()
	}()
	return func() error { return <-done }
}

func isReady(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// stop lets the operator give its Lease back, so that the next one need not wait for it.
func (m *manager) stop() {
	if m == nil {
		return
	}
	_ = m.command.Process.Signal(syscall.SIGTERM)
	<-m.exited
	_ = os.RemoveAll(m.dir)
}

// cpu is the time that the operator has used so far.
func (m *manager) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	return cpuTime(stat)
}

// cpuTime reads /proc/PID/stat: utime and stime are the fields 14 and 15, in ticks of 10 ms. The second field may hold spaces.
func cpuTime(stat []byte) (time.Duration, error) {
	const tick = 10 * time.Millisecond
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("unexpected process state %q", stat)
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	system, errSystem := strconv.ParseInt(fields[12], 10, 64)
	if errUser != nil || errSystem != nil {
		return 0, fmt.Errorf("unexpected process state %q", stat)
	}
	return time.Duration(user+system) * tick, nil
}

// peakMiB is the most memory that the operator has had.
func (m *manager) peakMiB() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	return peak(string(status))
}

func peak(status string) (float64, error) {
	for line := range strings.Lines(status) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, fmt.Errorf("no VmHWM in %q", status)
}

func kubeconfigOf(config *rest.Config, token string) clientcmdapi.Config {
	const name = "operator"
	return clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {
			Server: serverOf(config), CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData,
		}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
}

// serverOf: envtest gives an address without a scheme.
func serverOf(config *rest.Config) string {
	if strings.Contains(config.Host, "://") {
		return config.Host
	}
	return "https://" + config.Host
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
