package chart

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/kit"
)

const (
	home     = "testrun-system"
	operator = "testrun-controller-manager"
	root     = "../.."
	// this is the chart of this tree, and before that of the commit before, with the images of that commit.
	this   = root + "/charts/testrun"
	before = root + "/bin/chart-before/testrun"
)

var (
	// usual are values that suit the local cluster, which has no storage.
	usual       = []string{"--set=server.enabled=true", "--set=server.persistence.enabled=false"}
	beforesTags = []string{
		"--set=manager.image.tag=before", "--set=runner.image.tag=before", "--set=server.image.tag=before", "--set=jobtable.image.tag=before",
	}
	takeOver = []string{"--set=adopt=true", "--take-ownership", "--force-conflicts"}
)

// A release is installed over what kustomize has deployed, upgraded, rolled back, uninstalled and installed again. At each step a test runs,
// and another run waits in a queue. Neither may notice.
func TestRunsDoNotNoticeWhatHappensToTheRelease(t *testing.T) {
	w := newWorld(t)

	bystanders := w.someRuns("adopted")
	usual := w.withAnApplication(usual)
	if output, err := w.helm(slices.Concat([]string{"install", "testrun", before}, usual, beforesTags)...); err == nil || !strings.Contains(output, "--set adopt=true") {
		t.Fatalf("helm install over the deployment of kustomize says %s (%v), want it refused with what to do", output, err)
	}
	w.mustHelm(slices.Concat([]string{"install", "testrun", before}, usual, beforesTags, takeOver)...)
	w.expectOperators("testrun.invalid/testrun:before", 1)
	bystanders()

	bystanders = w.someRuns("upgraded")
	w.mustHelm(slices.Concat([]string{"upgrade", "testrun", this, "--set=manager.replicas=2", "--set=manager.flags.concurrency=8"}, usual)...)
	w.expectOperators("testrun.invalid/testrun:dev", 2)
	bystanders()

	bystanders = w.someRuns("rolled-back")
	w.mustHelm("rollback", "testrun", "1")
	w.expectOperators("testrun.invalid/testrun:before", 1)
	bystanders()

	bystanders = w.someRuns("orphaned")
	kept := w.kept()
	w.mustHelm("uninstall", "testrun")
	w.expectNothingLeft()
	w.expectKept(kept)
	w.mustHelm(slices.Concat([]string{"install", "testrun", this}, usual)...)
	w.expectOperators("testrun.invalid/testrun:dev", 1)
	bystanders()
}

type world struct{ *kit.World }

// withAnApplication makes the namespace of an application with a job table, and adds to the values that it gets a program.
func (w *world) withAnApplication(values []string) []string {
	w.T.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace + "-shop"}}
	w.Must(cluster.Create(w.Ctx, namespace))
	w.T.Cleanup(func() { _ = cluster.Delete(context.Background(), namespace) })
	w.Must(cluster.Create(w.Ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "databases", Namespace: namespace.Name}, StringData: map[string]string{"shop": "postgres://shop@db/shop"},
	}))
	const program = "jobtable.namespaces[0]."
	return append(slices.Clone(values), "--set="+program+"name="+namespace.Name, "--set="+program+"existingSecret=databases")
}

// newWorld makes a namespace, and removes it and the release when the test has ended.
func newWorld(t *testing.T) *world {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-chart-"}}
	w := &world{&kit.World{T: t, Ctx: t.Context(), Client: cluster, Patience: 90 * time.Second, Interval: 200 * time.Millisecond}}
	w.Must(cluster.Create(w.Ctx, namespace))
	w.Namespace = namespace.Name
	queue := &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}, Spec: v1alpha1.TestQueueSpec{MaxRunning: 1}}
	w.Must(cluster.Create(w.Ctx, queue))
	w.Create(builders.Test("kept", builders.TestSpec("echo 1..1; echo ok 1")))
	t.Cleanup(func() {
		w.Ctx = context.Background() // the test's own is over
		if t.Failed() {
			w.explain()
		}
		_ = cluster.Delete(w.Ctx, queue)
		_ = cluster.Delete(w.Ctx, namespace)
		_, _ = w.helm("uninstall", "testrun", "--ignore-not-found")
	})
	return w
}

// helm runs Helm in the operator's namespace. It waits until what it changes is ready.
func (w *world) helm(args ...string) (output string, err error) {
	w.T.Helper()
	args = append(args, "--namespace="+home, "--wait", "--timeout=3m")
	if args[0] == "upgrade" || args[0] == "rollback" {
		args = append(args, "--force-conflicts") // somebody else may have scaled a Deployment
	}
	command := exec.CommandContext(w.Ctx, filepath.Join(root, "bin", "tools", "helm"), args...)
	dir := w.T.TempDir()
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir)
	text, err := command.CombinedOutput()
	return string(text), err
}

func (w *world) mustHelm(args ...string) {
	w.T.Helper()
	began := time.Now()
	if output, err := w.helm(args...); err != nil {
		w.T.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	w.T.Logf("helm %s took %s", args[0], time.Since(began).Round(time.Second))
}

// someRuns starts a test that ends when it is told to, and a run that waits for it in their queue. What it returns tells the test to end, and
// checks that both runs pass, with one Job each: the one they had before, for the run that had one.
func (w *world) someRuns(name string) (unharmed func()) {
	w.T.Helper()
	waits := builders.TestSpec("echo begun; until [ -e /tmp/go ]; do sleep 0.2; done; echo 1..1; echo ok 1")
	w.Create(builders.TestRun(name).Running(waits).Waiting(w.Namespace).Build())
	w.WaitForInProgress(name)
	w.Create(builders.TestRun(name + "-next").Waiting(w.Namespace).Build())
	job := w.jobOf(name)
	return func() {
		w.T.Helper()
		w.kubectl("exec", "job/"+job.Name, "--container=test", "--", "touch", "/tmp/go")
		w.WaitForPassed(name, name+"-next")
		if again := w.jobOf(name); again.UID != job.UID {
			w.T.Errorf("run %s has another Job than before", name)
		}
		w.jobOf(name + "-next")
		for _, run := range []string{name, name + "-next"} {
			if attempts := len(w.Run(run).Status.Attempts); attempts != 1 {
				w.T.Errorf("run %s has %d attempts, want 1", run, attempts)
			}
		}
	}
}

// jobOf is the only Job of a run.
func (w *world) jobOf(run string) *batchv1.Job {
	w.T.Helper()
	jobs := &batchv1.JobList{}
	w.Must(cluster.List(w.Ctx, jobs, client.InNamespace(w.Namespace), client.MatchingLabels{v1alpha1.LabelRun: run}))
	if len(jobs.Items) != 1 {
		w.T.Fatalf("run %s has %d Jobs, want 1", run, len(jobs.Items))
	}
	return &jobs.Items[0]
}

func (w *world) kubectl(args ...string) {
	w.T.Helper()
	output, err := exec.CommandContext(w.Ctx, "kubectl", append([]string{"--namespace=" + w.Namespace}, args...)...).CombinedOutput()
	if err != nil {
		w.T.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// expectOperators checks which operators there are. More than one have a PodDisruptionBudget.
func (w *world) expectOperators(image string, replicas int32) {
	w.T.Helper()
	deployment := &appsv1.Deployment{}
	w.Must(cluster.Get(w.Ctx, client.ObjectKey{Namespace: home, Name: operator}, deployment))
	if got := deployment.Spec.Template.Spec.Containers[0].Image; got != image || deployment.Status.ReadyReplicas != replicas {
		w.T.Errorf("%d operators of image %s are ready, want %d of %s", deployment.Status.ReadyReplicas, got, replicas, image)
	}
	budgets := &policyv1.PodDisruptionBudgetList{}
	w.Must(cluster.List(w.Ctx, budgets, client.InNamespace(home)))
	if found := len(budgets.Items) > 0; found != (replicas > 1) {
		w.T.Errorf("there are %d PodDisruptionBudgets of %d operators", len(budgets.Items), replicas)
	}
}

// kept are the UIDs of what an uninstall must not touch.
func (w *world) kept() map[types.UID]string {
	w.T.Helper()
	found := map[types.UID]string{}
	for _, list := range []client.ObjectList{&v1alpha1.TestRunList{}, &v1alpha1.TestList{}, &v1alpha1.TestQueueList{}, &batchv1.JobList{}, &corev1.PodList{}} {
		w.Must(cluster.List(w.Ctx, list, client.InNamespace(w.Namespace)))
		for _, of := range itemsOf(list) {
			found[of.GetUID()] = of.GetName()
		}
	}
	crds := &apiextensionsv1.CustomResourceDefinitionList{}
	w.Must(cluster.List(w.Ctx, crds))
	for i := range crds.Items {
		if crds.Items[i].Spec.Group == v1alpha1.GroupVersion.Group {
			found[crds.Items[i].UID] = crds.Items[i].Name
		}
	}
	if len(found) < 10 {
		w.T.Errorf("only %v is there to be kept", found)
	}
	return found
}

func (w *world) expectKept(want map[types.UID]string) {
	w.T.Helper()
	got := w.kept()
	for uid, name := range want {
		if got[uid] == "" {
			w.T.Errorf("%s did not survive the uninstall", name)
		}
	}
}

// expectNothingLeft checks that nothing of the release is left but the CRDs.
func (w *world) expectNothingLeft() {
	w.T.Helper()
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &corev1.ServiceList{}, &corev1.ConfigMapList{}, &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{},
		&rbacv1.RoleList{}, &policyv1.PodDisruptionBudgetList{},
	} {
		w.Must(cluster.List(w.Ctx, list, client.MatchingLabels{"app.kubernetes.io/name": "testrun"}))
		for _, of := range itemsOf(list) {
			w.T.Errorf("%T %s is left after the uninstall", of, of.GetName())
		}
	}
}

// itemsOf are the objects of a list.
func itemsOf(list client.ObjectList) (found []client.Object) {
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		found = append(found, item.(client.Object))
		return nil
	})
	return found
}

// explain says what is in the cluster.
func (w *world) explain() {
	for _, args := range [][]string{
		{"--namespace=" + home, "get", "pods,deployments,replicasets", "--output=wide"},
		{"--namespace=" + home, "get", "events", "--sort-by=.lastTimestamp"},
		{"--namespace=" + home, "logs", "deployment/" + operator, "--tail=30"},
		{"--namespace=" + w.Namespace, "get", "testruns,jobs,pods", "--output=wide"},
	} {
		output, _ := exec.CommandContext(w.Ctx, "kubectl", args...).CombinedOutput()
		w.T.Logf("kubectl %s\n%s", strings.Join(args, " "), output)
	}
}
