package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
)

// These tests are about Kueue itself, which `make test-kueue` runs in the local cluster.

const (
	kueueAPI       = "kueue.x-k8s.io/v1beta2"
	kueueNamespace = "kueue-system"
	kueueName      = "kueue-controller-manager"
	localQueue     = "team"
)

// inKueue gives the world a ClusterQueue with one CPU, a LocalQueue for it, and the priority classes low and high.
func inKueue(w *world) *world {
	w.T.Helper()
	err := w.Client.List(w.Ctx, listOf("ClusterQueue"))
	if meta.IsNoMatchError(err) {
		w.T.Skip("there is no Kueue in the cluster: make test-kueue runs these tests")
	}
	w.Must(err)
	w.clusterWide("ResourceFlavor", w.Namespace, map[string]any{"spec": map[string]any{}})
	w.clusterWide("ClusterQueue", w.Namespace, map[string]any{"spec": map[string]any{
		"namespaceSelector": map[string]any{},
		"preemption":        map[string]any{"withinClusterQueue": "LowerPriority"},
		"resourceGroups": []any{map[string]any{
			"coveredResources": []any{"cpu"},
			"flavors": []any{map[string]any{
				"name": w.Namespace, "resources": []any{map[string]any{"name": "cpu", "nominalQuota": "1"}},
			}},
		}},
	}})
	for class, value := range map[string]int64{"-low": 1, "-high": 100} {
		w.clusterWide("WorkloadPriorityClass", w.Namespace+class, map[string]any{"value": value})
	}
	queue := objectOf("LocalQueue", localQueue)
	queue.Object["spec"] = map[string]any{"clusterQueue": w.Namespace}
	w.Create(queue)
	return w
}

func objectOf(kind, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{}}
	object.SetAPIVersion(kueueAPI)
	object.SetKind(kind)
	object.SetName(name)
	return object
}

func listOf(kind string) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion(kueueAPI)
	list.SetKind(kind + "List")
	return list
}

// clusterWide creates an object that is in no namespace, and deletes it when the test ends.
func (w *world) clusterWide(kind, name string, content map[string]any) {
	w.T.Helper()
	object := objectOf(kind, name)
	for field, value := range content {
		object.Object[field] = value
	}
	w.Must(w.Client.Create(w.Ctx, object))
	w.T.Cleanup(func() { _ = w.Client.Delete(w.Ctx, object) })
}

// forKueue is a run whose Job Kueue has to admit, in that LocalQueue. It asks for so many CPUs.
func forKueue(name, queue, cpus, script string, change ...func(*v1alpha1.TestRun)) *v1alpha1.TestRun {
	spec := builders.TestSpec(script)
	spec.Template.Labels = map[string]string{v1alpha1.LabelKueueQueue: queue}
	spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpus)}
	run := builders.TestRun(name).Running(spec).Build()
	for _, change := range change {
		change(run)
	}
	return run
}

// waitForKueue waits until the run waits, and quotes Kueue.
func (w *world) waitForKueue(name string, quotes ...string) {
	w.T.Helper()
	w.WaitForRun(name, "waiting for Kueue, with its words", func(run *v1alpha1.TestRun) bool {
		for _, quote := range quotes {
			if !strings.Contains(conditions.Message(run), quote) {
				return false
			}
		}
		return conditions.Reason(run) == v1alpha1.ReasonWaitingForKueue
	})
}

// waitForEmptyKueue waits until Kueue counts nothing in the ClusterQueue any more: neither what runs nor what waits.
func (w *world) waitForEmptyKueue() {
	w.T.Helper()
	queue := objectOf("ClusterQueue", w.Namespace)
	w.WaitFor("Kueue counts nothing in the queue any more", func() bool {
		w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(queue), queue))
		reserving, _, _ := unstructured.NestedInt64(queue.Object, "status", "reservingWorkloads")
		admitted, _, _ := unstructured.NestedInt64(queue.Object, "status", "admittedWorkloads")
		pending, _, _ := unstructured.NestedInt64(queue.Object, "status", "pendingWorkloads")
		return reserving == 0 && admitted == 0 && pending == 0
	})
}

// deactivate has Kueue give up the Workload of the run's Job.
func (w *world) deactivate(run string) {
	w.T.Helper()
	workloads := listOf("Workload")
	w.Must(w.Client.List(w.Ctx, workloads, client.InNamespace(w.Namespace)))
	for i := range workloads.Items {
		workload := &workloads.Items[i]
		if owner := metav1.GetControllerOf(workload); owner != nil && strings.HasPrefix(owner.Name, run+"-") {
			w.Must(w.Client.Patch(w.Ctx, workload, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"active":false}}`))))
			return
		}
	}
	w.T.Fatalf("run %s has no Workload", run)
}

func TestKueueAdmitsARunAndCountsItNoMoreOnceItHasFinished(t *testing.T) {
	w := inKueue(newWorld(t))
	w.Create(forKueue("admitted", localQueue, "1", "true"))
	w.WaitForPassed("admitted")
	w.waitForEmptyKueue()
}

func TestARunThatKueuePreemptsIsTriedAgainAsItWasRendered(t *testing.T) {
	w := inKueue(newWorld(t))
	priority := func(class string) func(*v1alpha1.TestRun) {
		return func(run *v1alpha1.TestRun) {
			run.Spec.TestSpec.Template.Labels["kueue.x-k8s.io/priority-class"] = w.Namespace + class
			run.Spec.Retry.Backoff.Base = &v1alpha1.Duration{Duration: time.Second}
		}
	}
	w.Create(forKueue("low", localQueue, "1", "sleep 12", priority("-low")))
	w.WaitForInProgress("low")
	w.Create(forKueue("high", localQueue, "1", "sleep 3", priority("-high")))
	w.WaitForPassed("high")
	low := w.WaitForFinished("low", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if attempts := low.Status.Attempts; len(attempts) != 2 || attempts[0].Reason != v1alpha1.ReasonDisrupted {
		t.Errorf("its attempts are %+v, want one that was disrupted and one that passed", attempts)
	}
	w.waitForEmptyKueue()
}

// The Secret that low wants is made only once Kueue has taken its pod away.
func TestARunThatKueuePreemptsBeforeItsTestRanWaitsOn(t *testing.T) {
	w := inKueue(newWorld(t))
	priority := func(class string) func(*v1alpha1.TestRun) {
		return func(run *v1alpha1.TestRun) {
			run.Spec.TestSpec.Template.Labels["kueue.x-k8s.io/priority-class"] = w.Namespace + class
		}
	}
	low := forKueue("low", localQueue, "1", "true", priority("-low"))
	wantsSecret(low, "late")
	w.Create(low)
	w.waitForNode("low")
	w.Create(forKueue("high", localQueue, "1", "sleep 3", priority("-high")))
	w.waitForKueue("low")
	w.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "late"}})
	w.WaitForPassed("high", "low")
	if attempts := w.Run("low").Status.Attempts; len(attempts) != 1 {
		t.Errorf("its attempts are %+v, want one", attempts)
	}
	w.waitForEmptyKueue()
}

func TestARunThatKueueDoesNotAdmitSaysWhyAndCanBeCancelled(t *testing.T) {
	w := inKueue(newWorld(t))
	w.Create(forKueue("nowhere", "nope", "1", "true"))
	w.Create(forKueue("too-large", localQueue, "3", "true"))
	w.waitForKueue("nowhere", "LocalQueue nope doesn't exist")
	w.waitForKueue("too-large", "maximum capacity")
	for _, name := range []string{"nowhere", "too-large"} {
		w.Cancel(name)
		w.WaitForFinished(name, v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	}
	w.waitForEmptyKueue()
}

func TestARunThatWaitsForKueueEndsAtItsLimit(t *testing.T) {
	w := inKueue(newWorld(t))
	w.Create(forKueue("waiting", localQueue, "3", "true", func(run *v1alpha1.TestRun) {
		run.Spec.Timeouts.Queue = &v1alpha1.PositiveDuration{Duration: 8 * time.Second}
	}))
	w.WaitForFinished("waiting", v1alpha1.VerdictError, v1alpha1.ReasonQueueTimeout, "timeouts.queue")
	w.waitForEmptyKueue()
}

func TestARunWhoseWorkloadKueueGivesUpEnds(t *testing.T) {
	w := inKueue(newWorld(t))
	w.Create(forKueue("running", localQueue, "1", "sleep 60"))
	w.WaitForInProgress("running")
	w.Create(forKueue("waiting", localQueue, "1", "true"))
	w.waitForKueue("waiting")
	for _, name := range []string{"waiting", "running"} {
		w.deactivate(name)
		w.WaitForFinished(name, v1alpha1.VerdictError, v1alpha1.ReasonKueueRefused)
	}
	w.waitForEmptyKueue()
}

func TestARunThatRunsUnderKueueCanBeCancelled(t *testing.T) {
	w := inKueue(newWorld(t))
	w.Create(forKueue("running", localQueue, "1", "sleep 60"))
	w.WaitForInProgress("running")
	w.Cancel("running")
	w.WaitForFinished("running", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.waitForEmptyKueue()
}

// It stops Kueue, so it runs alone.
func TestWhileKueueIsDownRunsWaitAndNoneIsLost(t *testing.T) {
	w := inKueue(newSerialWorld(t))
	w.scaleKueue(0)
	t.Cleanup(func() {
		w.Ctx = context.Background() // the test's own is over
		w.scaleKueue(1)
	})
	w.Create(forKueue("waiting", localQueue, "1", "true"))
	w.Create(forKueue("cancelled", localQueue, "1", "true"))
	for _, name := range []string{"waiting", "cancelled"} {
		w.WaitForPending(name, v1alpha1.ReasonJobRefused)
	}
	w.Cancel("cancelled")
	w.WaitForFinished("cancelled", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.scaleKueue(1)
	w.WaitForPassed("waiting")
	w.waitForEmptyKueue()
}

// scaleKueue waits until so many replicas of Kueue serve.
func (w *world) scaleKueue(replicas int32) {
	w.T.Helper()
	deployments := cluster.clientset.AppsV1().Deployments(kueueNamespace)
	deployment, err := deployments.Get(w.Ctx, kueueName, metav1.GetOptions{})
	w.Must(err)
	deployment.Spec.Replicas = ptr.To(replicas)
	_, err = deployments.Update(w.Ctx, deployment, metav1.UpdateOptions{})
	w.Must(err)
	w.WaitFor("Kueue is as it is to be", func() bool {
		deployment, err := deployments.Get(w.Ctx, kueueName, metav1.GetOptions{})
		w.Must(err)
		pods, err := cluster.clientset.CoreV1().Pods(kueueNamespace).List(w.Ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(deployment.Spec.Selector)})
		w.Must(err)
		return deployment.Status.ReadyReplicas == replicas && len(pods.Items) == int(replicas)
	})
}
