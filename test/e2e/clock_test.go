package e2e

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/operator"
)

// jumpyClock is off by as much as it is told to be.
type jumpyClock struct{ off atomic.Int64 }

func (c *jumpyClock) Now() time.Time                  { return time.Now().Add(time.Duration(c.off.Load())) }
func (c *jumpyClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }
func (c *jumpyClock) jumpTo(off time.Duration)        { c.off.Store(int64(off)) }

// A controller in the test's own process looks after the namespace, with a clock that jumps.
func TestAClockThatJumpsDoesNotTouchWhatRuns(t *testing.T) {
	withoutOperator(t)
	w := newSerialWorld(t)
	clock := &jumpyClock{}
	ctx, stop := context.WithCancel(context.Background())
	here, err := operator.New(ctx, cluster.config, w.Namespace, operator.Changes{Controllers: func(options *controllers.Options) { options.Clock = clock }})
	w.Must(err)
	done := make(chan error, 1)
	go func() { done <- here.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the manager: %v", err)
		}
	})

	w.Create(builders.TestRun("running").Running(builders.TestSpec("sleep 20")).Build())
	w.Create(builders.TestRun("failing").Running(builders.TestSpec("sleep 20; exit 1")).Once().Build())
	w.WaitForInProgress("running")
	w.WaitForInProgress("failing")
	clock.jumpTo(-3 * time.Hour)
	w.Create(builders.TestRun("behind").Running(prepared("sleep 8")).Build())
	isFinished := func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseFinished }
	// Its conditions changed before it was created, by this clock: WaitForPassed would say so.
	if behind := w.WaitForRun("behind", "Finished", isFinished); behind.Status.Verdict != v1alpha1.VerdictPassed {
		t.Errorf("a run that is started hours behind is %s (%s), want Passed", behind.Status.Verdict, conditions.Message(behind))
	}
	clock.jumpTo(3 * time.Hour)
	w.Create(builders.TestRun("ahead").Running(prepared(forEver)).Build())
	ahead := w.WaitForRun("ahead", "Finished", isFinished)
	if ahead.Status.Verdict != v1alpha1.VerdictError || !strings.Contains(conditions.Message(ahead), "Not started within 10m0s") { // see docs/operating.md
		t.Errorf("a run that is started hours ahead is %s (%s), want Error", ahead.Status.Verdict, conditions.Message(ahead))
	}
	w.WaitForPassed("running")
	w.WaitForFinished("failing", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
	clock.jumpTo(0)
	w.Create(builders.TestRun("afterwards").Build())
	w.WaitForPassed("afterwards")
	for _, run := range []string{"running", "failing", "behind", "ahead", "afterwards"} {
		if jobs := w.history.jobsOf(run); jobs != 1 {
			t.Errorf("run %s had %d Jobs, want 1 ever", run, jobs)
		}
	}
}
