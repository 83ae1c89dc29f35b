package e2e

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// goodRunBeside runs a test to its end, so that whatever the controllers had left to do about other runs, they had the time.
func (w *world) goodRunBeside() {
	w.T.Helper()
	w.Create(builders.TestRun("beside").Build())
	w.WaitForPassed("beside")
}

// expectOneJob checks that the run had one Job and no second one comes.
func (w *world) expectOneJob(run string) {
	w.T.Helper()
	w.goodRunBeside()
	w.ExpectNever("a second Job of "+run, 3*time.Second, func() bool { return w.history.jobsOf(run) != 1 })
}

func TestAJobDeletedByHandIsAnErrorAndNeverMadeAgain(t *testing.T) {
	t.Parallel()
	specs := map[string]v1alpha1.TestSpec{
		"while the test runs":             builders.TestSpec(forEver),
		"while the test is being started": withImage("registry.invalid/suite:1"),
	}
	for when, spec := range specs {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t)
			w.Create(builders.TestRun("robbed").Running(spec).Build())
			if when == "while the test runs" {
				w.WaitForInProgress("robbed")
			} else {
				w.waitForNode("robbed")
			}
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "robbed-1", Namespace: w.Namespace}}
			w.Must(w.Client.Delete(w.Ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground)))
			w.WaitForFinished("robbed", v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted, "robbed-1")
			w.expectOneJob("robbed")
			w.WaitFor("the pod is gone", func() bool { return len(w.pods("robbed")) == 0 })
		})
	}
}

func TestAPodDeletedByHandIsAnErrorAndNeverMadeAgain(t *testing.T) {
	t.Parallel()
	t.Run("in the ordinary way", func(t *testing.T) {
		w := newWorld(t)
		w.Create(builders.TestRun("robbed").Running(builders.TestSpec(forEver)).Build())
		w.WaitForInProgress("robbed")
		w.Must(w.Client.Delete(w.Ctx, w.waitForPod("robbed")))
		w.WaitForFinished("robbed", v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted, "was deleted")
		w.expectOneJob("robbed")
	})
	t.Run("by force", func(t *testing.T) {
		w := newWorld(t)
		w.Create(builders.TestRun("robbed").Running(builders.TestSpec(forEver)).Build())
		w.WaitForInProgress("robbed")
		w.Must(w.Client.Delete(w.Ctx, w.waitForPod("robbed"), client.GracePeriodSeconds(0)))
		w.WaitForFinished("robbed", v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted)
		w.expectOneJob("robbed")
	})
}

func TestAnEvictedPodIsDisruptedAndNotFailed(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("evicted").Running(builders.TestSpec(forEver)).Once().Build())
	w.WaitForInProgress("evicted")
	w.Must(w.Client.SubResource("eviction").Create(w.Ctx, w.waitForPod("evicted"), &policyv1.Eviction{}))
	w.WaitForFinished("evicted", v1alpha1.VerdictError, v1alpha1.ReasonDisrupted, "EvictionByEvictionAPI")
	w.expectOneJob("evicted")
}

// No other test may run meanwhile: a drained node takes no pods.
func TestADrainedNodeDisruptsTheRun(t *testing.T) {
	w := newSerialWorld(t)
	w.Create(builders.TestRun("drained").Running(builders.TestSpec(forEver)).Once().Build())
	w.WaitForInProgress("drained")
	node := w.waitForPod("drained").Spec.NodeName
	defer w.mustKubectl("uncordon", node)
	w.mustKubectl("drain", node, "--pod-selector="+v1alpha1.LabelRun+"=drained", "--ignore-daemonsets", "--timeout=60s")
	w.WaitForFinished("drained", v1alpha1.VerdictError, v1alpha1.ReasonDisrupted)
	w.mustKubectl("uncordon", node)
	w.expectOneJob("drained")
}

func TestADeletedRunTakesItsJobAndPodWithItAndItsNameCanBeUsedAgainAtOnce(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("again").Running(builders.TestSpec(forEver)).Build())
	first := w.WaitForInProgress("again")
	firstPod := w.waitForPod("again")
	w.Must(w.Client.Delete(w.Ctx, first))
	w.Create(builders.TestRun("again").Build())
	w.WaitForPassed("again")
	for _, pod := range w.pods("again") {
		if pod.UID == firstPod.UID {
			t.Errorf("pod %s of the deleted run is there still, want it gone", pod.Name)
		}
	}
	if jobs := w.history.jobsOf("again"); jobs != 2 {
		t.Errorf("the two runs had %d Jobs, want one each", jobs)
	}
}
