package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// managers starts controllers as processes of their own, that can be killed. They have the deployed operator's identity and
// so its rights, but elect no leader.
type managers struct{ binary, kubeconfig string }

// withoutOperator stops the deployed operator until the test has ended, and builds a manager to use instead.
func withoutOperator(t *testing.T) managers {
	t.Helper()
	w := newSerialWorld(t)
	dir := t.TempDir()
	m := managers{binary: filepath.Join(dir, "manager"), kubeconfig: filepath.Join(dir, "kubeconfig")}
	build := exec.CommandContext(w.Ctx, "go", "build", "-o", m.binary, "./cmd/manager")
	build.Dir = fromRoot()
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the manager: %v\n%s", err, output)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["it"] = &clientcmdapi.Cluster{Server: cluster.config.Host, CertificateAuthorityData: cluster.config.CAData, CertificateAuthority: cluster.config.CAFile}
	config.AuthInfos["it"] = &clientcmdapi.AuthInfo{Token: tokenOf(w, systemNamespace, operatorName)}
	config.Contexts["it"] = &clientcmdapi.Context{Cluster: "it", AuthInfo: "it"}
	config.CurrentContext = "it"
	w.Must(clientcmd.WriteToFile(*config, m.kubeconfig))

	replicas := w.scaleOperator(0)
	t.Cleanup(func() {
		w.Ctx = context.Background() // the test's own is over
		w.scaleOperator(replicas)
	})
	return m
}

// scaleOperator waits until so many replicas are there and ready, and returns how many there were to be before.
func (w *world) scaleOperator(replicas int32) (before int32) {
	w.T.Helper()
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: operatorName, Namespace: systemNamespace}}
	w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(deployment), deployment))
	before = ptr.Deref(deployment.Spec.Replicas, 1)
	changed := deployment.DeepCopy()
	changed.Spec.Replicas = &replicas
	w.Must(w.Client.Patch(w.Ctx, changed, client.MergeFrom(deployment)))
	w.WaitFor("the operator has the right number of replicas", func() bool {
		w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(deployment), deployment))
		pods := &corev1.PodList{}
		w.Must(w.Client.List(w.Ctx, pods, client.InNamespace(systemNamespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels)))
		return deployment.Status.ReadyReplicas == replicas && len(pods.Items) == int(replicas)
	})
	return before
}

// start starts a manager, with further flags, and returns what kills it, without any warning. When the test ends it is
// killed anyway.
func (m managers) start(t *testing.T, flags ...string) (kill func()) {
	t.Helper()
	output, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	usual := []string{"--kubeconfig=" + m.kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0", "--runner-image=testrun.invalid/runner:dev"}
	command := exec.Command(m.binary, append(usual, flags...)...) // the last one of a flag counts
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	killed := false
	kill = func() {
		if killed {
			return
		}
		killed = true
		select {
		case <-ended:
			t.Errorf("the manager ended by itself: %v", command.ProcessState)
		default:
			_ = command.Process.Kill()
			<-ended
		}
		_ = output.Close()
	}
	t.Cleanup(func() {
		kill()
		if text, err := os.ReadFile(output.Name()); t.Failed() && err == nil {
			t.Logf("what a manager said:\n%s", bounded(string(text)))
		}
	})
	return kill
}
