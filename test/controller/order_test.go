package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

func TestPriorityDecidesAndMayChangeWhileARunWaits(t *testing.T) {
	w := withController(t)
	queue := w.queue(oneAtATime)
	w.Create(builders.TestRun("first").Waiting(queue).Build())
	w.Execute("first")
	for _, name := range []string{"low", "raised"} {
		w.Create(builders.TestRun(name).Waiting(queue).Build())
	}
	w.Create(builders.TestRun("high").Waiting(queue).Priority(5).Build())
	for _, name := range []string{"low", "raised", "high"} {
		w.WaitForPending(name, v1alpha1.ReasonQueued)
	}
	w.Change("raised", func(run *v1alpha1.TestRun) { run.Spec.Priority = ptr.To[int32](9) })
	w.Exit(w.WaitForPod("first"), corev1.ContainerStateTerminated{ExitCode: 0})
	for _, name := range []string{"raised", "high", "low"} {
		w.Pass(name)
	}
}

// Within a namespace one step of priority is worth one interval of waiting.
func TestARunThatHasWaitedLongGoesBeforeOneOfHigherPriority(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1, AgingInterval: &v1alpha1.PositiveDuration{Duration: time.Second}})
	w.Create(builders.TestRun("first").Waiting(queue).Build())
	pod := w.Execute("first")
	w.Create(builders.TestRun("old").Waiting(queue).Build())
	w.WaitForPending("old", v1alpha1.ReasonQueued) // after 5 s
	w.Create(builders.TestRun("new").Waiting(queue).Priority(2).Build())
	w.Create(builders.TestRun("urgent").Waiting(queue).Priority(60).Build())
	for _, name := range []string{"new", "urgent"} {
		w.WaitForPending(name, v1alpha1.ReasonQueued)
	}
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
	for _, name := range []string{"urgent", "old", "new"} {
		w.Pass(name)
	}
}

func TestStartsAreNoFasterThanTheRateOfTheQueue(t *testing.T) {
	w := withController(t)
	const starts, per = 2, 6 * time.Second
	queue := w.queue(v1alpha1.TestQueueSpec{StartRate: v1alpha1.StartRate{Starts: starts, Per: &v1alpha1.PositiveDuration{Duration: per}}})
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		w.Create(builders.TestRun(name).Waiting(queue).Build())
	}
	w.WaitFor("all have started", func() bool { return len(w.Jobs()) == len(names) })
	var first, last time.Time
	for _, job := range w.Jobs() {
		created := job.CreationTimestamp.Time
		if first.IsZero() || created.Before(first) {
			first = created
		}
		if created.After(last) {
			last = created
		}
	}
	// Two may start at once, the third half a period later, the fourth after a whole one; times are stored in whole seconds.
	if took := last.Sub(first); took < per-time.Second {
		t.Errorf("4 runs started within %s, with %d starts in %s", took, starts, per)
	}
}

func TestANamespaceRunsNoMoreThanItMay(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 5, MaxRunningPerNamespace: 1})
	w.Create(builders.TestRun("a").Waiting(queue).Build())
	pod := w.Execute("a")
	w.Create(builders.TestRun("b").Waiting(queue).Build())
	w.ExpectMessage(w.WaitForPending("b", v1alpha1.ReasonQueued), "maxRunningPerNamespace")
	w.ExpectJobs("a")
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
	w.Pass("b")
}
