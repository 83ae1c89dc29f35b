package e2e

import (
	"testing"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// cancelledBeforeItRan cancels the run and checks that it ends as Cancelled, that no test ever ran and that none will.
func (w *world) cancelledBeforeItRan(name string) *v1alpha1.TestRun {
	w.t.Helper()
	asked := time.Now()
	w.cancel(name)
	run := w.finished(name, v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "Cancelled before")
	if took := time.Since(asked); took > 5*time.Second {
		w.t.Errorf("it took %s to cancel a run that had not started, want it at once", took)
	}
	w.staysStopped(name)
	if run.Status.StartTime != nil {
		w.t.Errorf("startTime is %v, want none: the test never ran", run.Status.StartTime)
	}
	return run
}

func TestCancelBeforeThereIsAJobEndsTheRunWithoutOne(t *testing.T) {
	w := newWorld(t)
	w.create(builders.TestRun("early").Of("missing").Build())
	w.pendingWith("early", v1alpha1.ReasonTestNotFound)
	w.cancelledBeforeItRan("early")
	w.create(builders.Test("missing", builders.TestSpec("true")))
	w.create(builders.TestRun("next").Of("missing").Build())
	w.passed("next")
	if jobs := w.history.jobsOf("early"); jobs != 0 {
		t.Errorf("the run had %d Jobs, want none, even after its Test appeared", jobs)
	}
}

func TestARunThatIsCreatedCancelledNeverHasAJob(t *testing.T) {
	w := newWorld(t)
	w.create(builders.TestRun("never").Cancelled().Build())
	w.finished("never", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.create(builders.TestRun("next").Build())
	w.passed("next")
	if jobs := w.history.jobsOf("never"); jobs != 0 {
		t.Errorf("the run had %d Jobs, want none", jobs)
	}
}

func TestCancelOfAnUnschedulableRunEndsItAndItsPodGoes(t *testing.T) {
	w := newWorld(t)
	w.create(builders.TestRun("nowhere").Running(obstacles()["no node fits"].spec).Build())
	w.pendingWith("nowhere", v1alpha1.ReasonUnschedulable)
	w.cancelledBeforeItRan("nowhere")
	w.eventually("the pod is gone", func() bool { return len(w.pods("nowhere")) == 0 })
}

func TestCancelWhileTheImageIsPulledEndsTheRunAtOnce(t *testing.T) {
	w := newWorld(t)
	w.create(builders.TestRun("pulling").Running(withImage("registry.invalid/suite:1")).Build())
	w.eventually("the node tries to pull the image", func() bool {
		statuses := w.scheduled("pulling").Status.ContainerStatuses
		return len(statuses) > 0 && statuses[0].State.Waiting != nil && statuses[0].State.Waiting.Reason != "ContainerCreating"
	})
	w.cancelledBeforeItRan("pulling")
}

func TestCancelWhileInitContainersRunEndsTheRunAtOnceAndTheTestNeverRuns(t *testing.T) {
	w := newWorld(t)
	w.create(builders.TestRun("preparing").Running(prepared(tenSeconds)).Build())
	w.preparing("preparing")
	w.cancelledBeforeItRan("preparing")
}

func TestCancelWhileTheTestRunsStopsItWithItsGracePeriodAndKeepsTheLogs(t *testing.T) {
	w := newWorld(t)
	spec := builders.TestSpec(forEver)
	spec.Template.Spec.TerminationGracePeriodSeconds = nil // the default of 30s: the test is asked to stop, not killed
	w.create(builders.TestRun("running").Running(spec).Build())
	w.inProgress("running")
	w.cancel("running")
	run := w.finished("running", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "Cancelled while the test ran")
	if exitCode(run) != 3 || run.Status.Duration == nil {
		t.Errorf("the exit code is %d and the duration %v, want 3, what the test itself ended with, and how long it ran", exitCode(run), run.Status.Duration)
	}
	w.logsHold("running", "begun", "told to stop")
}

func TestCancelWhileAVolumeIsMissingEndsTheRunAndTheTestNeverRuns(t *testing.T) {
	w := newWorld(t)
	w.create(builders.TestRun("waiting").Running(obstacles()["a ConfigMap of a volume is missing"].spec).Build())
	w.pendingWith("waiting", v1alpha1.ReasonVolumeNotReady)
	w.create(builders.TestRun("beside").Build())
	w.passed("beside")
	w.cancel("waiting")
	w.finished("waiting", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "Cancelled before")
	w.create(configMap("suite", map[string]string{"a.t": "1;"}))
	w.staysStopped("waiting")
}
