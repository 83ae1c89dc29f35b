// Package logs runs the operator's own program against a real API server, and reads what it logs.
package logs

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/kit"
)

func TestMain(m *testing.M) {
	code := apiserver.Run(m, apiserver.ControllerManager)
	if program, err := build(); err == nil {
		_ = os.Remove(program)
	}
	os.Exit(code)
}

// build compiles the operator, once.
var build = sync.OnceValues(func() (string, error) {
	program := filepath.Join(os.TempDir(), fmt.Sprintf("manager-%d", os.Getpid()))
	if output, err := exec.Command("go", "build", "-o", program, "../../cmd/manager").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the operator: %w\n%s", err, output)
	}
	return program, nil
})

// What happens here is ordinary: a full quota, an archive that is not there yet, a run that is deleted while it waits, somebody without
// rights at the metrics endpoint, one who does not even speak TLS, and the operator's own end.
func TestOrdinaryLifeIsLoggedAsJSONAtInfo(t *testing.T) {
	w, metrics := kit.New(t), kit.FreeAddress(t)
	w.Forbid("count/jobs.batch")
	operator := start(t, "--leader-elect", "--leader-election-namespace="+w.Namespace, "--metrics-bind-address="+metrics,
		"--health-probe-bind-address=0", "--runner-image=testrun.invalid/runner:dev", "--runner-mount=image-volume",
		"--archive-url=https://archive.testrun.invalid:9443")

	w.Create(builders.TestRun("deleted").Build())
	w.Must(w.Client.Delete(w.Ctx, w.WaitForPending("deleted", v1alpha1.ReasonQuotaExceeded)))
	w.Create(builders.TestRun("refused").StartTimeout(5 * time.Second).Build())
	w.WaitForFinished("refused", v1alpha1.VerdictError, v1alpha1.ReasonQuotaExceeded)
	expectNoMetrics(t, metrics, "")
	expectNoMetrics(t, metrics, "not a token")
	speakPlainly(t, metrics)
	operator.stop(t)

	lines := operator.lines(t)
	for _, line := range lines {
		if level := line["level"]; level != "info" && level != "debug" {
			t.Errorf("it is logged at %v: %v", level, line)
		}
		if trace, ok := line["stacktrace"]; ok {
			t.Errorf("it has a stack trace: %v", trace)
		}
	}
	for _, message := range []string{"The run has moved", "TLS handshake error", "successfully acquired lease", "The archive does not say"} {
		said := func(line map[string]any) bool {
			words, ok := line["msg"].(string)
			return ok && strings.Contains(strings.ToLower(words), strings.ToLower(message))
		}
		if !slices.ContainsFunc(lines, said) {
			t.Errorf("no line says %q", message)
		}
	}
}

func TestAWrongFlagIsALineOfJSON(t *testing.T) {
	for name, flags := range map[string][]string{
		"a flag that does not exist":   {"--no-such-flag"},
		"a value that is none":         {"--concurrency=many"},
		"an argument":                  {"start"},
		"a runner's image that is not": {"--metrics-bind-address=0"},
	} {
		t.Run(name, func(t *testing.T) {
			operator := start(t, flags...)
			<-operator.ended

			lines := operator.lines(t)
			if len(lines) == 0 || lines[len(lines)-1]["level"] != "error" || lines[len(lines)-1]["error"] == "" {
				t.Errorf("the last line is no error: %v", lines)
			}
		})
	}
}

// operatorProcess is the operator's program while it runs.
type operatorProcess struct {
	command *exec.Cmd
	output  *bytes.Buffer
	ended   chan struct{}
}

func start(t *testing.T, flags ...string) *operatorProcess {
	t.Helper()
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, apiserver.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &operatorProcess{command: exec.Command(program, append(flags, "--kubeconfig="+kubeconfig)...), output: &bytes.Buffer{}, ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = p.output, p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
	})
	return p
}

func (p *operatorProcess) stop(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the operator ended with exit code %d:\n%s", code, p.output)
	}
}

// lines are what the operator has logged. It has ended.
func (p *operatorProcess) lines(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for scanner := bufio.NewScanner(bytes.NewReader(p.output.Bytes())); scanner.Scan(); {
		line := map[string]any{}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Errorf("a line is no JSON: %s", scanner.Text())
		}
		lines = append(lines, line)
	}
	return lines
}

// expectNoMetrics asks for the metrics with a token that gives no right to them. HTTP/2 is not served.
func expectNoMetrics(t *testing.T, address, token string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode < http.StatusBadRequest {
		t.Errorf("the metrics endpoint answers %s to the token %q", response.Status, token)
	}
	if response.ProtoMajor != 1 {
		t.Errorf("the metrics endpoint speaks %s, want HTTP/1.1", response.Proto)
	}
}

// speakPlainly talks to a server that wants TLS as if it did not, and waits until it hangs up.
func speakPlainly(t *testing.T, address string) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := connection.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	for buffer := make([]byte, 512); err == nil; {
		_, err = connection.Read(buffer)
	}
}
