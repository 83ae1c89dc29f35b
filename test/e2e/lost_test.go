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
	w.t.Helper()
	w.create(builders.TestRun("beside").Build())
	w.passed("beside")
}

// isOnce checks that the run had one Job and no second one comes.
func (w *world) isOnce(run string) {
	w.t.Helper()
	w.goodRunBeside()
	w.never("a second Job of "+run, 3*time.Second, func() bool { return w.history.jobsOf(run) != 1 })
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
			w.create(builders.TestRun("robbed").Running(spec).Build())
			if when == "while the test runs" {
				w.inProgress("robbed")
			} else {
				w.scheduled("robbed")
			}
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "robbed-1", Namespace: w.namespace}}
			w.must(w.client.Delete(w.ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground)))
			w.finished("robbed", v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted, "robbed-1")
			w.isOnce("robbed")
			w.eventually("the pod is gone", func() bool { return len(w.pods("robbed")) == 0 })
		})
	}
}

func TestAPodDeletedByHandIsAnErrorAndNeverMadeAgain(t *testing.T) {
	t.Parallel()
	t.Run("in the ordinary way", func(t *testing.T) {
		w := newWorld(t)
		w.create(builders.TestRun("robbed").Running(builders.TestSpec(forEver)).Build())
		w.inProgress("robbed")
		w.must(w.client.Delete(w.ctx, w.pod("robbed")))
		w.finished("robbed", v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted, "was deleted")
		w.isOnce("robbed")
	})
	t.Run("by force", func(t *testing.T) {
		w := newWorld(t)
		w.create(builders.TestRun("robbed").Running(builders.TestSpec(forEver)).Build())
		w.inProgress("robbed")
		w.must(w.client.Delete(w.ctx, w.pod("robbed"), client.GracePeriodSeconds(0)))
		w.finished("robbed", v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted)
		w.isOnce("robbed")
	})
}

func TestAnEvictedPodIsDisruptedAndNotFailed(t *testing.T) {
	w := newWorld(t)
	w.create(builders.TestRun("evicted").Running(builders.TestSpec(forEver)).Once().Build())
	w.inProgress("evicted")
	w.must(w.client.SubResource("eviction").Create(w.ctx, w.pod("evicted"), &policyv1.Eviction{}))
	w.finished("evicted", v1alpha1.VerdictError, v1alpha1.ReasonDisrupted, "EvictionByEvictionAPI")
	w.isOnce("evicted")
}

// No other test may run meanwhile: a drained node takes no pods.
func TestADrainedNodeDisruptsTheRun(t *testing.T) {
	w := newSerialWorld(t)
	w.create(builders.TestRun("drained").Running(builders.TestSpec(forEver)).Once().Build())
	w.inProgress("drained")
	node := w.pod("drained").Spec.NodeName
	defer w.mustKubectl("uncordon", node)
	w.mustKubectl("drain", node, "--pod-selector="+v1alpha1.LabelRun+"=drained", "--ignore-daemonsets", "--timeout=60s")
	w.finished("drained", v1alpha1.VerdictError, v1alpha1.ReasonDisrupted)
	w.mustKubectl("uncordon", node)
	w.isOnce("drained")
}

func TestADeletedRunTakesItsJobAndPodWithItAndItsNameCanBeUsedAgainAtOnce(t *testing.T) {
	w := newWorld(t)
	w.create(builders.TestRun("again").Running(builders.TestSpec(forEver)).Build())
	first := w.inProgress("again")
	firstPod := w.pod("again")
	w.must(w.client.Delete(w.ctx, first))
	w.create(builders.TestRun("again").Build())
	w.passed("again")
	for _, pod := range w.pods("again") {
		if pod.UID == firstPod.UID {
			t.Errorf("pod %s of the deleted run is there still, want it gone", pod.Name)
		}
	}
	if jobs := w.history.jobsOf("again"); jobs != 2 {
		t.Errorf("the two runs had %d Jobs, want one each", jobs)
	}
}
