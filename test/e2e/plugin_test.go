package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// plugin is the folder with kubectl-testrun, as it is shipped, and its second name, for completion.
var plugin = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "plugin")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "kubectl-testrun")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", path, "github.com/testrun-dev/testrun/cmd/kubectl-testrun")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the plugin: %w\n%s", err, out)
	}
	return folder, os.Symlink(path, filepath.Join(folder, "kubectl_complete-testrun"))
})

// typist types commands of kubectl, with a kubeconfig and the plugin on the PATH.
type typist struct {
	*world
	kubeconfig string
}

// newTypist is somebody with that user of a kubeconfig.
func (w *world) newTypist(user *clientcmdapi.AuthInfo) *typist {
	w.T.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["local"] = &clientcmdapi.Cluster{
		Server: cluster.config.Host, CertificateAuthorityData: cluster.config.CAData, CertificateAuthority: cluster.config.CAFile,
	}
	config.AuthInfos["me"] = user
	config.Contexts["local"] = &clientcmdapi.Context{Cluster: "local", AuthInfo: "me", Namespace: w.Namespace}
	config.CurrentContext = "local"
	path := filepath.Join(w.T.TempDir(), "kubeconfig")
	w.Must(clientcmd.WriteToFile(*config, path))
	return &typist{w, path}
}

func (p *typist) command(args ...string) *exec.Cmd {
	p.T.Helper()
	folder, err := plugin()
	p.Must(err)
	cmd := exec.CommandContext(p.Ctx, "kubectl", args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig, "PATH="+folder+":"+os.Getenv("PATH"), "TERM=dumb")
	return cmd
}

// types types a command, and checks with which code it ends. It returns all that was printed.
func (p *typist) types(code int, line string) string {
	p.T.Helper()
	cmd := p.command(strings.Fields("testrun " + line)...)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		p.T.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		p.T.Errorf("kubectl testrun %s ended with %d, want %d\n%s", line, got, code, out)
	}
	return string(out)
}

// letThrough gives an account the way to the operator and the server, and the right to ask for queues.
func (w *world) letThrough(account string) {
	w.T.Helper()
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.Namespace, Name: account}}
	meta := metav1.ObjectMeta{Name: w.Namespace, Namespace: systemNamespace}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services", "pods"}, Verbs: []string{"list"}},
		{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create"}},
	}}
	binding := &rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name}}
	reads := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.Namespace + "-reads"}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "testrun-metrics-reader"},
	}
	w.Must(w.Client.Create(w.Ctx, role))
	w.Must(w.Client.Create(w.Ctx, binding))
	w.Must(w.Client.Create(w.Ctx, reads))
	w.T.Cleanup(func() {
		for _, err := range []error{
			w.Client.Delete(context.Background(), role), w.Client.Delete(context.Background(), binding), w.Client.Delete(context.Background(), reads),
		} {
			if err != nil {
				w.T.Error(err)
			}
		}
	})
}

func TestThePluginsWaitEndsWithTheVerdict(t *testing.T) {
	w := newWorld(t)
	p := w.newTypist(&clientcmdapi.AuthInfo{Token: w.tokenOf("ada", "edit")})
	w.Create(builders.TestRun("passed").Running(builders.TestSpec("sleep 2")).Build())
	w.Create(builders.TestRun("failed").Running(builders.TestSpec("exit 3")).Build())
	w.Create(builders.TestRun("error").Running(executing("no-such-program")).Once().Build())
	w.Create(builders.TestRun("timed-out").Running(builders.TestSpec("sleep 600")).RunTimeout(5 * time.Second).Build())
	w.Create(builders.TestRun("cancelled").Running(builders.TestSpec("sleep 600")).Build())
	w.WaitForInProgress("cancelled")
	expectOutput(t, "cancel", p.types(0, "cancel cancelled"), "cancelled is being cancelled")
	for name, code := range map[string]int{"passed": 0, "failed": 1, "error": 2, "timed-out": 3, "cancelled": 4} {
		expectOutput(t, "wait", p.types(code, "wait "+name), "^"+name+": (Passed|Failed|Error|TimedOut|Cancelled)")
	}
	p.types(1, "wait passed failed error timed-out cancelled")
	p.types(10, "wait")
	p.types(11, "wait --archive=none nobody")
	w.Create(builders.Test("shop", builders.TestSpec("echo 1..1; echo ok 1")))
	p.types(0, "run shop --wait")
}

func TestThePluginFollowsOutputAndFindsItAgainWhenItsPodIsGone(t *testing.T) {
	w := newWorld(t)
	p := w.newTypist(&clientcmdapi.AuthInfo{Token: w.tokenOf("ada", "edit")})
	w.letThrough("ada")
	w.Create(builders.Test("shop", builders.TestSpec("echo 1..2; echo ok 1 - opens; sleep 3; echo not ok 2 - pays; exit 1")))
	followed := p.types(1, "run shop --name=bad --follow")
	expectOutput(t, "run --follow", followed, "^ok 1 - opens$", "^not ok 2 - pays$", "^bad: Failed, 1/2 cases passed")
	expectOutput(t, "logs", p.types(0, "logs bad"), "^ok 1 - opens$", "^not ok 2 - pays$")
	w.newReader().waitForSettled(w.Run("bad"), "complete")
	w.mustKubectl("delete", "testrun", "bad")
	const gone = "^Run bad is not in the cluster any more"
	w.WaitFor("the archive knows that the run is gone", func() bool {
		return regexp.MustCompile(`bad .*\(gone\)`).MatchString(p.types(0, "list --archived"))
	})
	expectOutput(t, "logs", p.types(0, "logs bad"), gone, "^not ok 2 - pays$")
	expectOutput(t, "results", p.types(0, "results bad"), gone, `^Failed +pays +\(new`)
	p.types(1, "wait bad")
}

func TestThePluginSaysThePositionToWhoMayKnowIt(t *testing.T) {
	w := newWorld(t)
	ada := w.newTypist(&clientcmdapi.AuthInfo{Token: w.tokenOf("ada", "edit")})
	eve := w.newTypist(&clientcmdapi.AuthInfo{Token: w.tokenOf("eve", "edit")})
	w.letThrough("ada")
	queue := &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}, Spec: v1alpha1.TestQueueSpec{MaxRunning: 1}}
	w.Must(w.Client.Create(w.Ctx, queue))
	t.Cleanup(func() { _ = w.Client.Delete(context.Background(), queue) })
	for _, name := range []string{"first", "second", "third"} {
		w.Create(builders.TestRun(name).Running(builders.TestSpec("sleep 600")).Waiting(queue.Name).Build())
		w.WaitForRun(name, "InProgress or Queued", func(run *v1alpha1.TestRun) bool {
			return run.Status.Phase == v1alpha1.PhaseInProgress || len(run.Status.Conditions) > 0 && run.Status.Queue != ""
		})
	}
	w.WaitForPending("third", v1alpha1.ReasonQueued)
	expectOutput(t, "why", ada.types(0, "why third"), `^Its position is 2 of 2 that wait; 1 run\.$`, "^What to do: wait for its turn")
	expectOutput(t, "queue top", ada.types(0, "queue top "+queue.Name), `^1 +\S+ +second`, `^2 +\S+ +third`)
	expectOutput(t, "why", eve.types(0, "why third"), "^third is Pending: Waits in queue", "^Its position is not known: you may not list services in namespace testrun-system")
	ada.types(0, "cancel first second third")
}

func TestThePluginOpensAWayToThePageUntilItIsInterrupted(t *testing.T) {
	page := newWorld(t).openPage()
	page.opens()
	page.interrupt()
}

// No other test may run meanwhile: there is one server.
func TestTheAddressOfThePageOutlivesTheServersPod(t *testing.T) {
	w := newSerialWorld(t)
	page := w.openPage()
	w.mustKubectl("-n", systemNamespace, "rollout", "restart", "deployment", "testrun-server")
	w.mustKubectl("-n", systemNamespace, "rollout", "status", "deployment", "testrun-server", "--timeout=3m")
	page.opens()
	page.interrupt()
}

// openedPage is what kubectl testrun ui leads to.
type openedPage struct {
	*world
	command *exec.Cmd
	address string
	said    *bytes.Buffer
}

// openPage types kubectl testrun ui.
func (w *world) openPage() *openedPage {
	w.T.Helper()
	p := w.newTypist(&clientcmdapi.AuthInfo{Token: w.tokenOf("ada", "edit")})
	w.letThrough("ada")
	page := &openedPage{world: w, command: p.command("testrun", "ui"), said: &bytes.Buffer{}}
	page.command.Stderr = page.said
	out, err := page.command.StdoutPipe()
	w.Must(err)
	w.Must(page.command.Start())
	w.T.Cleanup(func() { _ = page.command.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	w.Must(err)
	page.address = strings.TrimSpace(line)
	return page
}

// opens opens the page in a browser whose user trusts its certificate, and tries again while the way there is made anew.
func (p *openedPage) opens() {
	p.T.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	browser := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	p.WaitFor(p.address+" asks to log in", func() bool {
		answer, err := browser.Get(p.address)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return err == nil && bytes.Contains(body, []byte("Log in"))
	})
}

// interrupt ends the command as Ctrl-C does.
func (p *openedPage) interrupt() {
	p.T.Helper()
	p.Must(p.command.Process.Signal(os.Interrupt))
	_ = p.command.Wait() // its code says how it ended
	if code := p.command.ProcessState.ExitCode(); code != 130 {
		p.T.Errorf("it ended with %d, want 130\n%s", code, p.said)
	}
}

// Clouds give tokens by a program that the kubeconfig names.
func TestThePluginTakesTheTokenOfAnExecPlugin(t *testing.T) {
	w := newWorld(t)
	w.letThrough("ada")
	token := w.tokenOf("ada", "edit")
	credential := fmt.Sprintf(`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":%q}}`, token)
	p := w.newTypist(&clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: "printf", Args: []string{"%s", credential}, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}})
	w.Create(builders.TestRun("kept").Build())
	w.WaitForPassed("kept")
	w.WaitFor("the archive lists the run", func() bool { return strings.Contains(p.types(0, "list --archived"), "kept") })
	certified := w.newTypist(&clientcmdapi.AuthInfo{
		ClientCertificateData: cluster.config.CertData, ClientKeyData: cluster.config.KeyData,
		ClientCertificate: cluster.config.CertFile, ClientKey: cluster.config.KeyFile,
	})
	expectOutput(t, "list --archived", certified.types(11, "list --archived"), "your kubeconfig has no bearer token, only a client certificate")
}

func TestKubectlCompletesForThePlugin(t *testing.T) {
	w := newWorld(t)
	p := w.newTypist(&clientcmdapi.AuthInfo{Token: w.tokenOf("ada", "edit")})
	w.Create(builders.Test("checkout", builders.TestSpec("true")))
	out, err := p.command("__complete", "testrun", "run", "ch").Output()
	w.Must(err)
	expectOutput(t, "kubectl __complete", string(out), "^checkout$")
}
