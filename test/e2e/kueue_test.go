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
	w.t.Helper()
	err := w.client.List(w.ctx, listOf("ClusterQueue"))
	if meta.IsNoMatchError(err) {
		w.t.Skip("there is no Kueue in the cluster: make test-kueue runs these tests")
	}
	w.must(err)
	w.clusterWide("ResourceFlavor", w.namespace, map[string]any{"spec": map[string]any{}})
	w.clusterWide("ClusterQueue", w.namespace, map[string]any{"spec": map[string]any{
		"namespaceSelector": map[string]any{},
		"preemption":        map[string]any{"withinClusterQueue": "LowerPriority"},
		"resourceGroups": []any{map[string]any{
			"coveredResources": []any{"cpu"},
			"flavors": []any{map[string]any{
				"name": w.namespace, "resources": []any{map[string]any{"name": "cpu", "nominalQuota": "1"}},
			}},
		}},
	}})
	for class, value := range map[string]int64{"-low": 1, "-high": 100} {
		w.clusterWide("WorkloadPriorityClass", w.namespace+class, map[string]any{"value": value})
	}
	queue := objectOf("LocalQueue", localQueue)
	queue.Object["spec"] = map[string]any{"clusterQueue": w.namespace}
	w.create(queue)
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
	w.t.Helper()
	object := objectOf(kind, name)
	for field, value := range content {
		object.Object[field] = value
	}
	w.must(w.client.Create(w.ctx, object))
	w.t.Cleanup(func() { _ = w.client.Delete(w.ctx, object) })
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

// waitsForKueue waits until the run waits, and quotes Kueue.
func (w *world) waitsForKueue(name string, quotes ...string) {
	w.t.Helper()
	w.runUntil(name, "waiting for Kueue, with its words", func(run *v1alpha1.TestRun) bool {
		for _, quote := range quotes {
			if !strings.Contains(conditions.Message(run), quote) {
				return false
			}
		}
		return conditions.Reason(run) == v1alpha1.ReasonWaitingForKueue
	})
}

// nothingCounts waits until Kueue counts nothing in the ClusterQueue any more: neither what runs nor what waits.
func (w *world) nothingCounts() {
	w.t.Helper()
	queue := objectOf("ClusterQueue", w.namespace)
	w.eventually("Kueue counts nothing in the queue any more", func() bool {
		w.must(w.client.Get(w.ctx, client.ObjectKeyFromObject(queue), queue))
		reserving, _, _ := unstructured.NestedInt64(queue.Object, "status", "reservingWorkloads")
		admitted, _, _ := unstructured.NestedInt64(queue.Object, "status", "admittedWorkloads")
		pending, _, _ := unstructured.NestedInt64(queue.Object, "status", "pendingWorkloads")
		return reserving == 0 && admitted == 0 && pending == 0
	})
}

// deactivate has Kueue give up the Workload of the run's Job.
func (w *world) deactivate(run string) {
	w.t.Helper()
	workloads := listOf("Workload")
	w.must(w.client.List(w.ctx, workloads, client.InNamespace(w.namespace)))
	for i := range workloads.Items {
		workload := &workloads.Items[i]
		if owner := metav1.GetControllerOf(workload); owner != nil && strings.HasPrefix(owner.Name, run+"-") {
			w.must(w.client.Patch(w.ctx, workload, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"active":false}}`))))
			return
		}
	}
	w.t.Fatalf("run %s has no Workload", run)
}

func TestKueueAdmitsARunAndCountsItNoMoreOnceItHasFinished(t *testing.T) {
	w := inKueue(newWorld(t))
	w.create(forKueue("admitted", localQueue, "1", "true"))
	w.passed("admitted")
	w.nothingCounts()
}

func TestARunThatKueuePreemptsIsTriedAgainAsItWasRendered(t *testing.T) {
	w := inKueue(newWorld(t))
	priority := func(class string) func(*v1alpha1.TestRun) {
		return func(run *v1alpha1.TestRun) {
			run.Spec.TestSpec.Template.Labels["kueue.x-k8s.io/priority-class"] = w.namespace + class
			run.Spec.Retry.Backoff.Base = &v1alpha1.Duration{Duration: time.Second}
		}
	}
	w.create(forKueue("low", localQueue, "1", "sleep 12", priority("-low")))
	w.inProgress("low")
	w.create(forKueue("high", localQueue, "1", "sleep 3", priority("-high")))
	w.passed("high")
	low := w.finished("low", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if attempts := low.Status.Attempts; len(attempts) != 2 || attempts[0].Reason != v1alpha1.ReasonDisrupted {
		t.Errorf("its attempts are %+v, want one that was disrupted and one that passed", attempts)
	}
	w.nothingCounts()
}

func TestARunThatKueueDoesNotAdmitSaysWhyAndCanBeCancelled(t *testing.T) {
	w := inKueue(newWorld(t))
	w.create(forKueue("nowhere", "nope", "1", "true"))
	w.create(forKueue("too-large", localQueue, "3", "true"))
	w.waitsForKueue("nowhere", "LocalQueue nope doesn't exist")
	w.waitsForKueue("too-large", "maximum capacity")
	for _, name := range []string{"nowhere", "too-large"} {
		w.cancel(name)
		w.finished(name, v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	}
	w.nothingCounts()
}

func TestARunThatWaitsForKueueEndsAtItsLimit(t *testing.T) {
	w := inKueue(newWorld(t))
	w.create(forKueue("waiting", localQueue, "3", "true", func(run *v1alpha1.TestRun) {
		run.Spec.Timeouts.Queue = &v1alpha1.PositiveDuration{Duration: 8 * time.Second}
	}))
	w.finished("waiting", v1alpha1.VerdictError, v1alpha1.ReasonQueueTimeout, "timeouts.queue")
	w.nothingCounts()
}

func TestARunWhoseWorkloadKueueGivesUpEnds(t *testing.T) {
	w := inKueue(newWorld(t))
	w.create(forKueue("running", localQueue, "1", "sleep 60"))
	w.inProgress("running")
	w.create(forKueue("waiting", localQueue, "1", "true"))
	w.waitsForKueue("waiting")
	for _, name := range []string{"waiting", "running"} {
		w.deactivate(name)
		w.finished(name, v1alpha1.VerdictError, v1alpha1.ReasonKueueRefused)
	}
	w.nothingCounts()
}

func TestARunThatRunsUnderKueueCanBeCancelled(t *testing.T) {
	w := inKueue(newWorld(t))
	w.create(forKueue("running", localQueue, "1", "sleep 60"))
	w.inProgress("running")
	w.cancel("running")
	w.finished("running", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.nothingCounts()
}

// It stops Kueue, so it runs alone.
func TestWhileKueueIsDownRunsWaitAndNoneIsLost(t *testing.T) {
	w := inKueue(newSerialWorld(t))
	w.scaleKueue(0)
	t.Cleanup(func() {
		w.ctx = context.Background() // the test's own is over
		w.scaleKueue(1)
	})
	w.create(forKueue("waiting", localQueue, "1", "true"))
	w.create(forKueue("cancelled", localQueue, "1", "true"))
	for _, name := range []string{"waiting", "cancelled"} {
		w.pendingWith(name, v1alpha1.ReasonJobRefused)
	}
	w.cancel("cancelled")
	w.finished("cancelled", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.scaleKueue(1)
	w.passed("waiting")
	w.nothingCounts()
}

// scaleKueue waits until so many replicas of Kueue serve.
func (w *world) scaleKueue(replicas int32) {
	w.t.Helper()
	deployments := cluster.clientset.AppsV1().Deployments(kueueNamespace)
	deployment, err := deployments.Get(w.ctx, kueueName, metav1.GetOptions{})
	w.must(err)
	deployment.Spec.Replicas = ptr.To(replicas)
	_, err = deployments.Update(w.ctx, deployment, metav1.UpdateOptions{})
	w.must(err)
	w.eventually("Kueue is as it is to be", func() bool {
		deployment, err := deployments.Get(w.ctx, kueueName, metav1.GetOptions{})
		w.must(err)
		pods, err := cluster.clientset.CoreV1().Pods(kueueNamespace).List(w.ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(deployment.Spec.Selector)})
		w.must(err)
		return deployment.Status.ReadyReplicas == replicas && len(pods.Items) == int(replicas)
	})
}
