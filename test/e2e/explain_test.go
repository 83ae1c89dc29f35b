package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// kubectl runs a command as a person would, in the world's namespace, and returns all that it printed.
func (w *world) kubectl(args ...string) (output string, err error) {
	ctx, cancel := context.WithTimeout(w.Ctx, w.Patience)
	defer cancel()
	printed, err := exec.CommandContext(ctx, "kubectl", append([]string{"--namespace=" + w.Namespace}, args...)...).CombinedOutput()
	return string(printed), err
}

// mustKubectl runs a command that has to succeed.
func (w *world) mustKubectl(args ...string) string {
	w.T.Helper()
	output, err := w.kubectl(args...)
	if err != nil {
		w.T.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}

// logs returns what the run's pod printed, as the API serves it.
func (w *world) logs(run string) string {
	w.T.Helper()
	name := w.waitForPod(run).Name
	printed, err := cluster.clientset.CoreV1().Pods(w.Namespace).GetLogs(name, &corev1.PodLogOptions{}).DoRaw(w.Ctx)
	if err != nil {
		w.T.Fatalf("reading the logs of pod %s: %v", name, err)
	}
	return string(printed)
}

// expectLogs waits until each of the texts is in the logs of the run: on a busy node they may come after its end.
func (w *world) expectLogs(run string, texts ...string) {
	w.T.Helper()
	for _, text := range texts {
		w.WaitFor(fmt.Sprintf("%q is in the logs of run %s", text, run), func() bool { return strings.Contains(w.logs(run), text) })
	}
}

// explain prints what a reader needs in order to see why a test failed.
func (w *world) explain() {
	for _, args := range [][]string{
		{"get", "testruns,jobs,pods", "--output=wide"},
		{"get", "testruns", "--output=yaml"},
		{"get", "pods", "--output=custom-columns=NAME:.metadata.name,STATUS:.status"},
		{"get", "events", "--sort-by=.metadata.creationTimestamp"},
	} {
		output, _ := w.kubectl(args...)
		w.T.Logf("kubectl -n %s %s\n%s", w.Namespace, strings.Join(args, " "), bounded(output))
	}
	w.T.Logf("what the operator said of it:\n%s", w.operatorSaid())
	w.T.Logf("namespace %s is kept: kubectl delete namespace %s", w.Namespace, w.Namespace)
}

// operatorSaid returns the operator's log lines about this namespace.
func (w *world) operatorSaid() string {
	output, _ := exec.CommandContext(w.Ctx, "kubectl", "--namespace="+systemNamespace, "logs", "--tail=5000", "deployment/"+operatorName).CombinedOutput()
	var lines []string
	for line := range strings.Lines(string(output)) {
		if strings.Contains(line, w.Namespace) {
			lines = append(lines, line)
		}
	}
	return bounded(strings.Join(lines, ""))
}

// bounded keeps the end of a long text.
func bounded(text string) string {
	const most = 16 << 10
	if len(text) <= most {
		return text
	}
	return "… " + text[len(text)-most:]
}

// measure logs how long a part of a test took.
func measure(t *testing.T, what string) func() {
	t.Helper()
	start := time.Now()
	return func() { t.Logf("%s took %s", what, time.Since(start).Round(100*time.Millisecond)) }
}
