//go:build linux

package supervise

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	settingsVariable = "SUPERVISE_TEST_SETTINGS"
	markVariable     = "SUPERVISE_TEST_MARK"
)

// settings are what a test tells the supervisor that it starts.
type settings struct {
	Grace time.Duration
	// Direct lets the command write to the streams of the supervisor.
	Direct bool
	// DirectStderr does so for Stderr alone.
	DirectStderr bool
	// Fast leaves out what takes time in a test alone.
	Fast bool
	// Times is how often the command is run, each time with the next number as its last argument, which is its exit code.
	Times int
	// Early is a signal that arrives before the command is started.
	Early syscall.Signal
	// Linger says that the supervisor waits for a late stop when the command has ended, and prints it.
	Linger bool
	// Report is the file to write a report to.
	Report string
}

// report is what a supervisor saw.
type report struct {
	Result         Result
	Stdout, Stderr digest
	Allocated      uint64
	HeapGrowth     int64
}

// digest stands for the bytes that Tee was shown.
type digest struct {
	Size int64
	Sum  string
}

func digestOf(b []byte) digest {
	sum := sha256.Sum256(b)
	return digest{int64(len(b)), hex.EncodeToString(sum[:])}
}

// TestMain makes the test binary a supervisor if a test asks for one: what concerns processes is seen from outside.
func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(settingsVariable); ok {
		os.Unsetenv(settingsVariable)
		os.Exit(superviseAs(text))
	}
	if os.Getenv(immortalVariable) != "" {
		beImmortal()
	}
	os.Exit(m.Run())
}

type tee struct {
	hash.Hash
	size int64
}

func newTee() *tee { return &tee{Hash: sha256.New()} }

func (t *tee) show(b []byte) {
	t.size += int64(len(b))
	t.Write(b)
}

func (t *tee) digest() digest { return digest{t.size, hex.EncodeToString(t.Sum(nil))} }

func superviseAs(text string) int {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		panic(err)
	}
	stdout, stderr := newTee(), newTee()
	cmd := Command{
		Args: os.Args[1:], Grace: s.Grace, Stdin: os.Stdin,
		Stdout: Stream{To: os.Stdout, Tee: stdout.show}, Stderr: Stream{To: os.Stderr, Tee: stderr.show},
	}
	if s.Direct {
		cmd.Stdout.Tee, cmd.Stderr.Tee = nil, nil
	}
	if s.DirectStderr {
		cmd.Stderr.Tee = nil
	}
	if s.Fast {
		cmd.Stdout.Tee, cmd.Stderr.Tee = func([]byte) {}, func([]byte) {}
	}
	late := make(chan syscall.Signal, 1)
	if s.Linger {
		cmd.OnLateStop = func(sig syscall.Signal) { late <- sig }
	}
	for i := range s.Times {
		numbered := cmd
		numbered.Args = append(slices.Clone(cmd.Args), strconv.Itoa(i))
		if result, err := Run(numbered); err != nil || result.ExitCode != i {
			fmt.Fprintln(os.Stderr, i, result, err)
			return 1
		}
	}
	if s.Times > 0 {
		return 0
	}
	before := memory()
	supervisor := newSupervisor()
	if s.Early != 0 {
		_ = unix.Kill(os.Getpid(), s.Early)
		for len(supervisor.signals) == 0 {
			runtime.Gosched()
		}
	}
	result, err := supervisor.run(cmd)
	after := memory()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		var failed *StartError
		if errors.As(err, &failed) {
			return failed.ExitCode()
		}
		return 1
	}
	if s.Linger {
		fmt.Println("over")
		fmt.Println(unix.SignalName(<-late))
	}
	if s.Report != "" {
		encoded, _ := json.Marshal(report{
			result, stdout.digest(), stderr.digest(),
			after.TotalAlloc - before.TotalAlloc, int64(after.HeapAlloc) - int64(before.HeapAlloc),
		})
		if err := os.WriteFile(s.Report, encoded, 0o600); err != nil {
			panic(err)
		}
	}
	return result.ExitCode
}

func memory() runtime.MemStats {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats
}

// supervisors are the two places that a supervisor can have. A test of what depends on it runs in both.
var supervisors = map[string]func(*exec.Cmd){
	"as a subreaper": func(*exec.Cmd) {},
	"as process 1":   func(cmd *exec.Cmd) { cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID },
}

// process is a running supervisor.
type process struct {
	t *testing.T
	*exec.Cmd
	stdout *bufio.Reader
	stderr bytes.Buffer
	mark   string
	report string
}

// outcome is what it left.
type outcome struct {
	code           int
	stdout, stderr string
	report         report
}

// start starts a supervisor of the command. Each of change may adapt it.
func start(t *testing.T, s settings, args []string, change ...func(*exec.Cmd)) *process {
	t.Helper()
	p := &process{t: t, mark: t.Name() + strconv.FormatInt(time.Now().UnixNano(), 36)}
	dir := t.TempDir()
	p.report = filepath.Join(dir, "report")
	for _, dir := range []string{dir, filepath.Dir(dir)} { // a supervisor may run as another user
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	s.Report = p.report
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Cmd = exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	p.Stdout, p.Stderr = write, &p.stderr
	p.Env = append(os.Environ(), settingsVariable+"="+string(encoded), markVariable+"="+p.mark)
	p.SysProcAttr = &syscall.SysProcAttr{}
	p.WaitDelay = 10 * time.Second
	for _, change := range change {
		change(p.Cmd)
	}
	err = p.Start()
	write.Close()
	if errors.Is(err, unix.EPERM) && p.SysProcAttr.Cloneflags != 0 {
		t.Skip("a new process namespace is not permitted here")
	}
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(read)
	t.Cleanup(func() {
		_ = p.Process.Kill()
		for _, pid := range p.marked() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		read.Close()
	})
	return p
}

// run supervises a command to its end.
func run(t *testing.T, s settings, args []string, change ...func(*exec.Cmd)) outcome {
	t.Helper()
	return start(t, s, args, change...).end()
}

func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

func perl(script string, args ...string) []string {
	return append([]string{"perl", "-e", script}, args...)
}

// line waits for a line of the command's output.
func (p *process) line() string {
	p.t.Helper()
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the output ended after %q, stderr %q", line, p.stderr.String())
	}
	return strings.TrimSpace(line)
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the end of the supervisor.
func (p *process) end() outcome {
	p.t.Helper()
	stuck := time.AfterFunc(time.Minute, func() { _ = p.Process.Signal(unix.SIGKILL) })
	defer stuck.Stop()
	rest, err := io.ReadAll(p.stdout)
	if err != nil {
		p.t.Fatal(err)
	}
	var failed *exec.ExitError
	if err := p.Wait(); err != nil && !errors.As(err, &failed) {
		p.t.Fatal(err)
	}
	o := outcome{code: p.ProcessState.ExitCode(), stdout: string(rest), stderr: p.stderr.String()}
	if encoded, err := os.ReadFile(p.report); err == nil {
		if err := json.Unmarshal(encoded, &o.report); err != nil {
			p.t.Fatal(err)
		}
	}
	return o
}

// marked returns the processes that the supervisor and its command have started, itself included.
func (p *process) marked() []int {
	var found []int
	for _, pid := range processes() {
		environment, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if bytes.Contains(environment, []byte(markVariable+"="+p.mark+"\x00")) {
			found = append(found, pid)
		}
	}
	return found
}

// almostOver tells when the time of the whole test binary is nearly over: nothing here is given up sooner, since a busy machine is slow,
// and not stuck.
func almostOver(t *testing.T) <-chan time.Time {
	t.Helper()
	if deadline, limited := t.Deadline(); limited {
		return time.After(time.Until(deadline) - 10*time.Second)
	}
	return nil
}

// eventually waits for a condition that other processes bring about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := almostOver(t)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
