package e2e

import (
	"testing"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// expectCancelledBeforeItRan cancels the run and checks that it ends as Cancelled, that no test ever ran and that none will.
func (w *world) expectCancelledBeforeItRan(name string) *v1alpha1.TestRun {
	w.T.Helper()
	asked := time.Now()
	w.Cancel(name)
	run := w.WaitForFinished(name, v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "Cancelled before")
	if took := time.Since(asked); took > 5*time.Second {
		w.T.Errorf("it took %s to cancel a run that had not started, want it at once", took)
	}
	w.expectStaysStopped(name)
	if run.Status.StartTime != nil {
		w.T.Errorf("startTime is %v, want none: the test never ran", run.Status.StartTime)
	}
	return run
}

func TestCancelBeforeThereIsAJobEndsTheRunWithoutOne(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("early").Of("missing").Build())
	w.WaitForPending("early", v1alpha1.ReasonTestNotFound)
	w.expectCancelledBeforeItRan("early")
	w.Create(builders.Test("missing", builders.TestSpec("true")))
	w.Create(builders.TestRun("next").Of("missing").Build())
	w.WaitForPassed("next")
	if jobs := w.history.jobsOf("early"); jobs != 0 {
		t.Errorf("the run had %d Jobs, want none, even after its Test appeared", jobs)
	}
}

func TestARunThatIsCreatedCancelledNeverHasAJob(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("never").Cancelled().Build())
	w.WaitForFinished("never", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.Create(builders.TestRun("next").Build())
	w.WaitForPassed("next")
	if jobs := w.history.jobsOf("never"); jobs != 0 {
		t.Errorf("the run had %d Jobs, want none", jobs)
	}
}

func TestCancelOfAnUnschedulableRunEndsItAndItsPodGoes(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("nowhere").Running(obstacles()["no node fits"].spec).Build())
	w.WaitForPending("nowhere", v1alpha1.ReasonUnschedulable)
	w.expectCancelledBeforeItRan("nowhere")
	w.WaitFor("the pod is gone", func() bool { return len(w.pods("nowhere")) == 0 })
}

func TestCancelWhileTheImageIsPulledEndsTheRunAtOnce(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("pulling").Running(withImage("registry.invalid/suite:1")).Build())
	w.WaitFor("the node tries to pull the image", func() bool {
		statuses := w.waitForNode("pulling").Status.ContainerStatuses
		return len(statuses) > 0 && statuses[0].State.Waiting != nil && statuses[0].State.Waiting.Reason != "ContainerCreating"
	})
	w.expectCancelledBeforeItRan("pulling")
}

func TestCancelWhileInitContainersRunEndsTheRunAtOnceAndTheTestNeverRuns(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("preparing").Running(prepared(tenSeconds)).Build())
	w.preparing("preparing")
	w.expectCancelledBeforeItRan("preparing")
}

func TestCancelWhileTheTestRunsStopsItWithItsGracePeriodAndKeepsTheLogs(t *testing.T) {
	w := newWorld(t)
	spec := builders.TestSpec(forEver)
	spec.Template.Spec.TerminationGracePeriodSeconds = nil // the default of 30s: the test is asked to stop, not killed
	w.Create(builders.TestRun("running").Running(spec).Build())
	w.WaitForInProgress("running")
	w.Cancel("running")
	run := w.WaitForFinished("running", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "Cancelled while the test ran")
	if exitCode(run) != 3 || run.Status.Duration == nil {
		t.Errorf("the exit code is %d and the duration %v, want 3, what the test itself ended with, and how long it ran", exitCode(run), run.Status.Duration)
	}
	w.expectLogs("running", "begun", "told to stop")
}

func TestCancelWhileAVolumeIsMissingEndsTheRunAndTheTestNeverRuns(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("waiting").Running(obstacles()["a ConfigMap of a volume is missing"].spec).Build())
	w.WaitForPending("waiting", v1alpha1.ReasonVolumeNotReady)
	w.Create(builders.TestRun("beside").Build())
	w.WaitForPassed("beside")
	w.Cancel("waiting")
	w.WaitForFinished("waiting", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "Cancelled before")
	w.Create(configMap("suite", map[string]string{"a.t": "1;"}))
	w.expectStaysStopped("waiting")
}
