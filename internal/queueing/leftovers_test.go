package queueing

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// in returns the run in that namespace.
func in(namespace string, run admission.Run) admission.Run {
	run.Namespace = namespace
	return run
}

func wantTurn(t *testing.T, q *Service, run admission.Run, starts bool) {
	t.Helper()
	if turn := q.Report(run); (turn.Action == admission.Start) != starts {
		t.Errorf("the turn of %s is %+v, want that it starts: %v", run.Name, turn, starts)
	}
}

func TestWhatRemainsOfARunKeepsItsSlotUntilItIsLetGo(t *testing.T) {
	q := queues(1)
	q.Report(entry("a", admission.Running))
	slot, keeps := q.Ends("a", nil, true)
	if !keeps {
		t.Fatal("nothing keeps its slot")
	}
	q.Report(entry("a", admission.Running)) // a stale cache does not bring it back
	if status := q.StatusOf(v1alpha1.DefaultQueue); *status.Running != 1 {
		t.Errorf("%d run, want what remains", *status.Running)
	}
	wantTurn(t, q, entry("b", admission.Waiting), false)
	q.LetGo(slot)
	wantTurn(t, q, entry("b", admission.Waiting), true)
	if _, keeps := q.Ends("c", nil, true); keeps {
		t.Error("a run that had no slot keeps one")
	}
}

// A run that is created in place of a deleted one is no duplicate: the unique key is free at once.
func TestWhatRemainsOfARunIsNoDuplicate(t *testing.T) {
	q := queues(0)
	first := entry("a", admission.Running)
	first.Unique.Key = "commit"
	q.Report(first)
	q.Ends("a", nil, true)
	second := entry("b", admission.Waiting)
	second.Unique.Key = "commit"
	wantTurn(t, q, second, true)
}

func TestAClaimCountsAsFarAsItsNamespaceCouldHaveGotWithRuns(t *testing.T) {
	q := queues(0)
	q.SetQueue("shared", &v1alpha1.TestQueueSpec{MaxRunning: 3, MaxRunningPerNamespace: 2, Namespaces: []string{"forger", "ns"}})
	claim := func(namespace string, n int, key string) {
		for i := range n {
			run := in(namespace, entry("claim", admission.Running))
			run.Queue, run.Concurrency = "shared", admission.Concurrency{Key: key, Limit: 1}
			q.Claim(types.UID(fmt.Sprint(namespace, i)), run)
		}
	}
	claim("forger", 100, "")
	claim("stranger", 100, "")
	shared := func(name string) admission.Run {
		run := entry(name, admission.Waiting)
		run.Queue = "shared"
		return run
	}
	if status := q.StatusOf("shared"); *status.Running != 2 {
		t.Errorf("%d claims count, want 2", *status.Running)
	}
	wantTurn(t, q, shared("a"), true)
	wantTurn(t, q, shared("b"), false)
	wantTurn(t, q, in("forger", shared("c")), false)
	q.Gone("c")

	for i := range 98 { // the surplus takes the place of those that end
		q.LetGo(types.UID(fmt.Sprint("forger", i)))
	}
	if status := q.StatusOf("shared"); *status.Running != 3 {
		t.Errorf("%d run, want the 2 claims that are left and 1 run", *status.Running)
	}
	q.LetGo("forger98")
	wantTurn(t, q, shared("b"), true)
	if len(q.surplus) != 1 { // the stranger's, which never count
		t.Errorf("the surplus is %v", q.surplus)
	}
	q.SetQueue("shared", &v1alpha1.TestQueueSpec{MaxRunning: 10})
	if status := q.StatusOf("shared"); *status.Running != 10 {
		t.Errorf("%d run once the queue takes everybody, want 10", *status.Running)
	}
}

func TestAClaimHoldsAKeyOfItsOwnNamespaceOnly(t *testing.T) {
	q := queues(0)
	keyed := func(run admission.Run) admission.Run {
		run.Concurrency = admission.Concurrency{Key: "environment", Limit: 1}
		return run
	}
	q.Claim("claim", keyed(in("forger", entry("claim", admission.Running))))
	wantTurn(t, q, keyed(entry("a", admission.Waiting)), true)
	wantTurn(t, q, keyed(in("forger", entry("b", admission.Waiting))), false)
}

// Whoever may edit a Job or a TestQueue cannot exceed the limit by it.
func TestARunCountsWhereItStarted(t *testing.T) {
	q := queues(1)
	q.SetQueue("other", &v1alpha1.TestQueueSpec{})
	wantTurn(t, q, entry("a", admission.Waiting), true)
	moved := entry("a", admission.Running)
	moved.Queue = "other"
	q.Report(moved)
	wantTurn(t, q, entry("b", admission.Waiting), false)
	q.SetQueue(v1alpha1.DefaultQueue, &v1alpha1.TestQueueSpec{MaxRunning: 1, Namespaces: []string{"elsewhere"}})
	q.Report(entry("a", admission.Waiting)) // by a cache that is behind
	if status := q.StatusOf(v1alpha1.DefaultQueue); *status.Running != 1 {
		t.Errorf("%d run in the queue, want 1", *status.Running)
	}
}

func TestAQueueIsMissingSinceItIsGoneOrAskedFor(t *testing.T) {
	q := queues(0)
	run := entry("a", admission.Waiting)
	run.Queue = "other"
	asked := q.clock.Now()
	for range 2 {
		if wait := q.Report(run).Wait; wait.Reason != v1alpha1.ReasonQueueNotFound || !wait.MissingSince.Equal(asked) {
			t.Errorf("it waits for %+v, want the queue, since %s", wait, asked)
		}
	}
	q.SetQueue("other", &v1alpha1.TestQueueSpec{MaxRunning: 1})
	q.Report(run)
	q.Report(in("b", run))
	q.Gone("a")
	q.SetQueue("other", nil)
	if _, known := q.engine.Status("other"); known {
		t.Error("the queue is remembered although nobody waits in it")
	}
}
