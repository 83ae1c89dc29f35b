package security

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/node"
)

// A tenant with one slot deletes each run as soon as its test runs, without its Job. Every test runs on, and no other one starts.
func TestATenantWhoDeletesRunsGetsNoMoreSlots(t *testing.T) {
	t.Parallel()
	namespace := apiserver.Namespace(t)
	tenant := tenantOf(t, namespace)
	queue := &v1alpha1.TestQueue{}
	queue.Name = namespace
	queue.Spec.MaxRunning = 1
	must(t, apiserver.Client.Create(t.Context(), queue))
	startOperator(t, namespace)
	inQueue := func(run *v1alpha1.TestRun) { run.Spec.Queue = queue.Name }

	orphaned := created(t, tenant, namespace, "orphan-1", inQueue)
	pod := ownPod(t, waitForJob(t, namespace, "orphan-1"))
	report(t, pod, node.SetRunning)
	deleteWithoutJob(t, tenant, orphaned)
	for i := 2; i <= 4; i++ {
		name := fmt.Sprintf("orphan-%d", i)
		run := created(t, tenant, namespace, name, inQueue)
		waiting := waitForRun(t, namespace, name, "the operator has told that it waits", func(run *v1alpha1.TestRun) bool { return run.Status.ObservedGeneration > 0 })
		if waiting.Status.Phase != v1alpha1.PhasePending || len(waiting.Status.Attempts) > 0 {
			t.Fatalf("run %s has started beside a pod that runs: %+v", name, waiting.Status)
		}
		must(t, tenant.Delete(t.Context(), run))
	}
	created(t, tenant, namespace, "last", inQueue)
	report(t, pod, exits(0))
	must(t, apiserver.Client.Delete(t.Context(), waitForJob(t, namespace, "orphan-1"))) // nobody else ends it here
	waitForJob(t, namespace, "last")
}

// deleteWithoutJob deletes the run as kubectl does with --cascade=orphan. The second half is the garbage collector's, which does not
// run here.
func deleteWithoutJob(t *testing.T, tenant client.Client, run *v1alpha1.TestRun) {
	t.Helper()
	must(t, tenant.Delete(t.Context(), run, client.PropagationPolicy(metav1.DeletePropagationOrphan)))
	job := waitForJob(t, run.Namespace, run.Name)
	owned := job.DeepCopy()
	job.OwnerReferences = nil
	must(t, apiserver.Client.Patch(t.Context(), job, client.MergeFrom(owned)))
	must(t, apiserver.Client.Get(t.Context(), client.ObjectKeyFromObject(run), run))
	held := run.DeepCopy()
	run.Finalizers = nil
	must(t, apiserver.Client.Patch(t.Context(), run, client.MergeFrom(held)))
}
