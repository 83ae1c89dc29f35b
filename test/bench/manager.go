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
	logFile string
	started time.Time
	exited  chan struct{} // closed when it has
	health  string        // the address, as pprof
	pprof   string
}

// startManager starts the operator and waits until its caches are filled.
func startManager(ctx context.Context, c *cluster, program, logFile string) (*manager, error) {
	m, err := launchManager(ctx, c, program, logFile)
	if err == nil {
		err = m.ready(ctx, patience)
	}
	return m, err
}

// launchManager starts the operator with the flags that it is deployed with, but for its addresses.
func launchManager(ctx context.Context, c *cluster, program, logFile string) (*manager, error) {
	token, err := c.operatorToken(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	m := &manager{dir: dir, logFile: logFile, exited: make(chan struct{})}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfigOf(c.config, token), kubeconfig); err != nil {
		return nil, err
	}
	if m.health, err = freeAddress(); err != nil {
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
		"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address="+m.health, "--pprof-bind-address="+m.pprof)...)
	m.command.Stdout, m.command.Stderr = output, output
	m.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	m.started = time.Now()
	if err := m.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the operator: %w", err)
	}
	go func() {
		_ = m.command.Wait() // its log says why
		close(m.exited)
	}()
	return m, nil
}

// ready waits until the operator's caches are filled.
func (m *manager) ready(ctx context.Context, limit time.Duration) error {
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, limit, true, func(ctx context.Context) (bool, error) {
		select {
		case <-m.exited:
			return false, errors.New("it has ended")
		default:
			return isReady(ctx, "http://"+m.health+"/readyz"), nil
		}
	})
	if err != nil {
		return fmt.Errorf("the operator does not get ready, see %s: %w", m.logFile, err)
	}
	return nil
}

// profile writes into a file how the operator spends its CPU time during the next seconds. The profile is complete, or has failed,
// when the returned function returns.
func (m *manager) profile(ctx context.Context, file string) (wait func() error) {
	done := make(chan error, 1)
	go func() {
		content, err := m.pprofOf(ctx, "profile?seconds=8")
		if err == nil {
			err = os.WriteFile(file, content, 0o644)
		}
		done <- err
	}()
	return func() error { return <-done }
}

// pprofOf reads a profile of the operator.
func (m *manager) pprofOf(ctx context.Context, what string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.pprof+"/debug/pprof/"+what, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("profiling the operator: %w", err)
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
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

// kill lets the operator give nothing back.
func (m *manager) kill() {
	_ = m.command.Process.Kill()
	<-m.exited
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
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("unexpected process state %q", stat)
	}
	return ticks(fields[11], fields[12])
}

// used is CPU time: the operator's, and that of all processes and the kernel.
type used struct{ operator, machine time.Duration }

// used is what has been used so far.
func (m *manager) used() (u used, err error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return u, err
	}
	if u.machine, err = machineTime(stat); err != nil {
		return u, err
	}
	u.operator, err = m.cpu()
	return u, err
}

// machineTime reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq.
func machineTime(stat []byte) (time.Duration, error) {
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	if len(fields) < 8 || fields[0] != "cpu" {
		return 0, fmt.Errorf("unexpected state of the machine %q", line)
	}
	return ticks(fields[1], fields[2], fields[3], fields[6], fields[7])
}

// ticks adds up times in the kernel's unit for programs.
func ticks(counts ...string) (sum time.Duration, err error) {
	const tick = 10 * time.Millisecond
	for _, count := range counts {
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("unexpected count of ticks: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// peakMiB is the most memory that the operator has had.
func (m *manager) peakMiB() (float64, error) { return m.memory("VmHWM") }

// memory is what the kernel says of the operator, in MiB: VmRSS is what it has, and VmHWM the most that it has had.
func (m *manager) memory(field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	return memoryIn(string(status), field)
}

func memoryIn(status, field string) (float64, error) {
	for line := range strings.Lines(status) {
		var kib float64
		if n, _ := fmt.Sscanf(line, field+": %f kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, fmt.Errorf("no %s in %q", field, status)
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
