package e2e

import (
	"fmt"
	"testing"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
)

// Nothing here is parallel, since the deployed operator is stopped meanwhile.
func TestRunsOutliveTheirControllers(t *testing.T) {
	m := withoutOperator(t)
	t.Run("runs created while no controller runs are Pending at once and end when one comes", m.aLateController)
	t.Run("a controller killed while runs are pending, starting and running loses none and repeats none", m.aKilledController)
	t.Run("controllers killed again and again lose none and repeat none", m.oneKilledAfterTheOther)
	t.Run("two controllers without leader election make one Job for each of 200 runs", m.twoControllers)
}

func (m managers) aLateController(t *testing.T) {
	w := newSerialWorld(t)
	w.Create(builders.TestRun("early").Build())
	w.Create(builders.TestRun("called-off").Build())
	run := w.Run("early")
	if run.Status.Phase != v1alpha1.PhasePending || conditions.Reason(run) != v1alpha1.ReasonWaiting {
		t.Errorf("right after it was created the run is %q (%s), want Pending (Waiting)", run.Status.Phase, conditions.Reason(run))
	}
	expectOutput(t, "kubectl get testruns", w.mustKubectl("get", "testruns", "--field-selector=status.phase=Pending"), `^early +Pending +Waiting +`)
	w.Cancel("called-off")
	w.ExpectNever("a Job comes without a controller", 3*time.Second, func() bool { return w.history.allJobs() > 0 })
	m.start(t)
	w.WaitForPassed("early")
	w.WaitForFinished("called-off", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
}

func (m managers) aKilledController(t *testing.T) {
	w := newSerialWorld(t)
	kill := m.start(t)
	w.Create(builders.TestRun("pending").Of("suite").Build())
	w.Create(builders.TestRun("starting").Running(prepared(tenSeconds)).Build())
	w.Create(builders.TestRun("running").Running(builders.TestSpec(tenSeconds)).Build())
	w.Create(builders.TestRun("cancelled").Running(builders.TestSpec(forEver)).Build())
	w.Create(builders.TestRun("overdue").Running(builders.TestSpec(forEver)).RunTimeout(12 * time.Second).Build())
	w.Create(builders.TestRun("unpulled").Running(withImage("registry.invalid/suite:1")).RunTimeout(12 * time.Second).Build())
	for _, name := range []string{"running", "cancelled", "overdue"} {
		w.WaitForInProgress(name)
	}
	w.preparing("starting")
	w.Cancel("cancelled")
	kill()
	for name, phase := range map[string]v1alpha1.Phase{"pending": v1alpha1.PhasePending, "starting": v1alpha1.PhasePending, "running": v1alpha1.PhaseInProgress} {
		if run := w.Run(name); run.Status.Phase != phase {
			t.Fatalf("the controller was killed while run %s was %s, want %s: this test proves nothing", name, run.Status.Phase, phase)
		}
	}
	w.Create(builders.Test("suite", builders.TestSpec("true")))
	w.WaitFor("the tests that run end while no controller runs", func() bool {
		return !w.hasLivePod("running") && !w.hasLivePod("starting") && !w.hasLivePod("overdue") && w.nodeGaveUp("unpulled")
	})
	if phase := w.Run("running").Status.Phase; phase == v1alpha1.PhaseFinished {
		t.Errorf("run running is %s while no controller runs: another one is at work, and this test proves nothing", phase)
	}
	m.start(t)
	w.WaitForPassed("pending", "starting", "running")
	w.WaitForFinished("cancelled", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.WaitForRun("unpulled", "Finished", func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseFinished })
	w.WaitForFinished("overdue", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout)
	w.expectLogs("overdue", "begun", "told to stop")
	if run := w.Run("unpulled"); run.Status.Verdict != v1alpha1.VerdictError || exitCode(run) != -1 {
		t.Errorf("run unpulled is %s (%s: %s) with exit code %d, want Error and no exit code: the test never ran",
			run.Status.Verdict, conditions.Reason(run), conditions.Message(run), exitCode(run))
	}
	for _, name := range []string{"pending", "starting", "running", "cancelled", "overdue", "unpulled"} {
		if jobs := w.history.jobsOf(name); jobs != 1 {
			t.Errorf("run %s had %d Jobs, want 1 ever", name, jobs)
		}
	}
}

// nodeGaveUp says whether the kubelet has written the last of what it knows about a container that never ran: that it does
// not know how it ended.
func (w *world) nodeGaveUp(run string) bool {
	w.T.Helper()
	statuses := w.waitForPod(run).Status.ContainerStatuses
	return len(statuses) > 0 && statuses[0].State.Terminated != nil
}

func (m managers) oneKilledAfterTheOther(t *testing.T) {
	const lives, runsPerLife = 8, 4
	w := newSerialWorld(t)
	var names []string
	for life := range lives {
		kill := m.start(t)
		for i := range runsPerLife {
			names = append(names, fmt.Sprintf("run-%d-%d", life, i))
			w.Create(builders.TestRun(names[len(names)-1]).Build())
		}
		// It is killed in the midst of its work, a little later in each life.
		jobs := w.history.allJobs()
		w.WaitFor("the controller makes a Job", func() bool { return w.history.allJobs() > jobs })
		time.Sleep(time.Duration(life) * 300 * time.Millisecond)
		kill()
	}
	m.start(t)
	w.WaitForPassed(names...)
	if jobs := w.history.allJobs(); jobs != len(names) {
		t.Errorf("%d runs had %d Jobs, want one each", len(names), jobs)
	}
}

func (m managers) twoControllers(t *testing.T) {
	const runs = 200
	w := newSerialWorld(t)
	m.start(t)
	m.start(t)
	executed := measure(t, "executing 200 runs")
	names := make([]string, 0, runs)
	for i := range runs {
		names = append(names, fmt.Sprintf("run-%03d", i))
		w.Create(builders.TestRun(names[i]).Build())
	}
	w.WaitForPassed(names...)
	executed()
	if jobs := w.history.allJobs(); jobs != runs {
		t.Errorf("%d runs had %d Jobs ever, want one each", runs, jobs)
	}
}
