package admission

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// engineOf returns an engine with one queue q and these runs.
func engineOf(queue Queue, runs ...Run) *Engine {
	queue.Name = "q"
	e := New()
	e.SetQueue(queue)
	for _, r := range runs {
		e.SetRun(r)
	}
	return e
}

func wantDecided(t *testing.T, plan Plan, want ...string) {
	t.Helper()
	if got := decided(plan); !slices.Equal(got, want) {
		t.Fatalf("it decides %q, want %q", got, want)
	}
}

func TestAStartCountsUntilTheRunIsSeenToEnd(t *testing.T) {
	first, second := waiting("a/1"), waiting("a/2")
	e := engineOf(Queue{MaxRunning: 1}, first, second)
	wantDecided(t, e.Decide(at(0)), "Start 1")

	e.SetRun(first)
	wantDecided(t, e.Decide(at(1)))
	late := int32(9)
	first.Priority = &late
	e.SetRun(first)
	wantDecided(t, e.Decide(at(2)))

	e.SetRun(waiting("a/1", running))
	wantDecided(t, e.Decide(at(3)))

	e.SetRun(waiting("a/1", endedAt(4)))
	wantDecided(t, e.Decide(at(4)), "Start 2")
	e.RemoveRun(second.UID)
	if status, _ := e.Status("q"); status.Running != 0 {
		t.Errorf("%d are running, want none", status.Running)
	}
}

func TestWhatIsFinishedStaysOut(t *testing.T) {
	second := waiting("a/2", concurrency(1, Refuse))
	e := engineOf(Queue{}, waiting("a/1", running, concurrency(1, Wait)), second)
	wantDecided(t, e.Decide(at(0)), "Finish 2: Refused 1")
	e.SetRun(second)
	wantDecided(t, e.Decide(at(1)))
}

func TestAPriorityMayChangeWhileARunWaits(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 1}, waiting("a/1", running), waiting("a/2"), waiting("a/3"))
	e.Decide(at(0))
	e.SetRun(waiting("a/3", priority(1)))
	plan := e.Decide(at(0))
	if want := []Key{{"a", "2", "2"}, {"a", "3", "3"}}; len(plan.Changed) != 2 {
		t.Errorf("changed are %v, want %v", plan.Changed, want)
	}
	e.RemoveRun("1")
	wantDecided(t, e.Decide(at(1)), "Start 3")
}

func TestAQueueMayStopAndGoOn(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 1}, waiting("a/1"), waiting("a/2"))
	wantDecided(t, e.Decide(at(0)), "Start 1")
	e.SetQueue(Queue{Name: "q", MaxRunning: 2, Suspended: true})
	if plan := e.Decide(at(1)); len(plan.Decisions) != 0 || len(plan.Changed) != 1 {
		t.Errorf("suspended, it decides %v", plan)
	}
	e.SetQueue(Queue{Name: "q", MaxRunning: 2})
	wantDecided(t, e.Decide(at(2)), "Start 2")

	e.RemoveQueue("q")
	e.SetRun(waiting("a/3"))
	wantDecided(t, e.Decide(at(3)))
	if why, _ := e.Why("3"); why.Reason != QueueNotFound {
		t.Errorf("it waits for %v, want the queue", why)
	}
	e.SetQueue(Queue{Name: "q", MaxRunning: 2})
	wantDecided(t, e.Decide(at(4)))
	e.RemoveRun("1")
	wantDecided(t, e.Decide(at(5)), "Start 3")
}

func TestAQueueMayTakeAndForbidANamespace(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 1, Namespaces: map[string]bool{"b": true}}, waiting("a/1"), waiting("a/2"))
	wantDecided(t, e.Decide(at(0)))
	if status, _ := e.Status("q"); status.Waiting != 0 || e.HasRoom("q", "a") || !e.HasRoom("q", "b") {
		t.Errorf("the queue is %+v, want nobody in it, and room for b alone", status)
	}
	e.SetQueue(Queue{Name: "q", MaxRunning: 1})
	wantDecided(t, e.Decide(at(1)), "Start 1")
	e.SetQueue(Queue{Name: "q", MaxRunning: 2, Namespaces: map[string]bool{"b": true}})
	wantDecided(t, e.Decide(at(2))) // what runs goes on, and counts
	if why, _ := e.Why("2"); why.Reason != QueueForbidden {
		t.Errorf("2 waits for %+v, want to be forbidden", why)
	}
	if status, _ := e.Status("q"); status.Running != 1 {
		t.Errorf("%d run, want 1", status.Running)
	}
}

func TestAQueueIsMissingSinceItIsAskedForOrGone(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 1}, waiting("a/1", running), waiting("a/2"), waiting("a/3", func(r *Run) { r.Queue = "other" }))
	missing := func(uid types.UID, want time.Time) {
		t.Helper()
		if why, _ := e.Why(uid); why.Reason != QueueNotFound || !why.MissingSince.Equal(want) {
			t.Errorf("%s waits for %+v, want its queue since %s", uid, why, want)
		}
	}
	e.Decide(at(1))
	e.RemoveQueue("q")
	e.SetRun(waiting("a/4", func(r *Run) { r.Queue = "other" }))
	e.Decide(at(2))
	missing("2", at(2))
	missing("3", at(1))
	missing("4", at(1))
	e.SetQueue(Queue{Name: "other", Suspended: true})
	e.Decide(at(3))
	e.RemoveQueue("other")
	e.Decide(at(4))
	missing("3", at(4))
}

// A report that brings nothing new makes nobody look at the queue: neither the engine nor the writer of its status.
func TestAReportThatBringsNothingNewTouchesNoQueue(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 1}, waiting("a/1"), waiting("a/2"))
	if plan := e.Decide(at(0)); !slices.Equal(plan.Queues, []string{"q"}) {
		t.Errorf("the queues %v have changed, want q", plan.Queues)
	}
	before := e.visits
	e.SetRun(waiting("a/1"))                                         // by a cache that is behind
	e.SetRun(waiting("a/2", accepted, func(r *Run) { r.Order = 9 })) // another version, whose status says that it was accepted
	if plan := e.Decide(at(1)); len(plan.Queues) != 0 || e.visits != before {
		t.Errorf("the queues %v have changed, and %d were visited, want none", plan.Queues, e.visits-before)
	}
	e.SetRun(waiting("a/2", accepted, priority(1)))
	if plan := e.Decide(at(2)); len(plan.Queues) != 0 || e.visits != before+1 {
		t.Errorf("the queues %v have changed, and %d were visited, want none, and one", plan.Queues, e.visits-before)
	}
	e.RemoveRun("2")
	if plan := e.Decide(at(3)); !slices.Equal(plan.Queues, []string{"q"}) {
		t.Errorf("the queues %v have changed, want q", plan.Queues)
	}
}

func TestARunIsCanceledOnceAndItsPlaceTakenWhenItHasEnded(t *testing.T) {
	e := engineOf(Queue{}, waiting("a/1", running, concurrency(1, Wait)), waiting("a/2", concurrency(1, ReplaceRunning)))
	wantDecided(t, e.Decide(at(0)), "Cancel 1: Replaced 2")
	e.SetRun(waiting("a/3", created(1), concurrency(1, ReplaceRunning)))
	wantDecided(t, e.Decide(at(1)), "Finish 2: Replaced 3")
	e.SetRun(waiting("a/1", endedAt(2), concurrency(1, Wait)))
	wantDecided(t, e.Decide(at(2)), "Start 3")
}

func TestNoRateLeavesNothingOfAnotherRate(t *testing.T) {
	e := engineOf(Queue{Rate: Rate{Starts: 1, Per: time.Hour}}, waiting("a/1"), waiting("a/2"))
	wantDecided(t, e.Decide(at(0)), "Start 1")
	e.RemoveQueue("q")
	e.SetQueue(Queue{Name: "q"})
	wantDecided(t, e.Decide(at(1)), "Start 2")
}

func TestWhySaysWhatWouldLetARunGo(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 3, MaxRunningPerNamespace: 2}, waiting("a/1", concurrency(1, Wait)),
		waiting("a/2", concurrency(1, Wait)), waiting("a/3"), waiting("a/4"), waiting("b/5"), waiting("b/6"), waiting("b/7", runAfter(9)))
	e.Decide(at(0))
	if why, _ := e.Why("2"); why.InUse != 1 || why.Limit != 1 || !slices.Equal(why.Holders, []Key{{"a", "1", "1"}}) {
		t.Errorf("2 waits for %+v, want the key that 1 holds", why)
	}
	if why, _ := e.Why("4"); why.Reason != NamespaceLimit || why.InUse != 2 || why.Limit != 2 {
		t.Errorf("4 waits for %+v, want its namespace", why)
	}
	if why, _ := e.Why("6"); why.Reason != QueueLimit || why.InUse != 3 || why.Limit != 3 {
		t.Errorf("6 waits for %+v, want the queue", why)
	}
	if why, _ := e.Why("7"); why.Reason != NotBefore || !why.Until.Equal(at(9)) {
		t.Errorf("7 waits for %+v, want its time", why)
	}
	if _, ok := e.Why("1"); ok {
		t.Error("1 waits, although it runs")
	}
	status, _ := e.Status("q")
	if want := (QueueStatus{Known: true, Running: 3, Waiting: 3, Delayed: 1, Oldest: epoch}); status != want {
		t.Errorf("the queue is %+v, want %+v", status, want)
	}
}

// starts starts n runs, each after the end of the one before, and returns their namespaces in order.
func starts(t *testing.T, e *Engine, n int) []string {
	t.Helper()
	var namespaces []string
	now := at(1_000)
	for len(namespaces) < n {
		now = now.Add(time.Second)
		plan := e.Decide(now)
		if len(plan.Decisions) != 1 || plan.Decisions[0].Action != Start {
			t.Fatalf("it decides %v, want one start", decided(plan))
		}
		namespaces = append(namespaces, plan.Decisions[0].Run.Namespace)
		e.RemoveRun(plan.Decisions[0].Run.UID)
	}
	return namespaces
}

// backlog lets n runs wait in a namespace.
func backlog(e *Engine, namespace string, n int, options ...func(*Run)) {
	for i := range n {
		r := waiting(fmt.Sprint(namespace, "/", i), options...)
		r.UID = types.UID(fmt.Sprint(namespace, i))
		e.SetRun(r)
	}
}

func TestNamespacesShareTheStartsByTheirWeights(t *testing.T) {
	for name, aging := range map[string]time.Duration{"without aging": 0, "with aging": time.Second} {
		t.Run(name, func(t *testing.T) {
			e := engineOf(Queue{MaxRunning: 1, AgingInterval: aging, Weights: map[string]int{"c": 2}})
			backlog(e, "a", 5_000)
			backlog(e, "b", 150, created(500))
			backlog(e, "c", 250, created(900))
			count := map[string]int{}
			for _, namespace := range starts(t, e, 400) {
				count[namespace]++
			}
			for namespace, want := range map[string]int{"a": 100, "b": 100, "c": 200} {
				if got := count[namespace]; 20*max(got-want, want-got) > want {
					t.Errorf("%s had %d starts, want %d within 5%%", namespace, got, want)
				}
			}
		})
	}
}

func TestABurstDelaysAnothersFirstRunByOneSlotAtMost(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 1, AgingInterval: time.Second})
	backlog(e, "burst", 5_000)
	starts(t, e, 100)
	backlog(e, "other", 1, created(1_000))
	if order := starts(t, e, 2); !slices.Contains(order, "other") {
		t.Errorf("it starts %v, want the other one among them", order)
	}
}

func TestNobodySavesUpCredit(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 1})
	backlog(e, "idle", 1)
	backlog(e, "busy", 300)
	starts(t, e, 100)
	backlog(e, "idle", 100)
	count := 0
	for _, namespace := range starts(t, e, 20) {
		if namespace == "idle" {
			count++
		}
	}
	if count < 9 || count > 11 {
		t.Errorf("of 20 starts %d went to who was idle, want half", count)
	}
}

func TestStartsWonByPriorityAreSoonForgiven(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 1})
	backlog(e, "low", 1_000)
	backlog(e, "high", 500, priority(1))
	starts(t, e, 500)
	backlog(e, "high", 1)
	if order := starts(t, e, 4); !slices.Contains(order, "high") {
		t.Errorf("it starts %v, want the one that had priority before among them", order)
	}
}

func TestALowPriorityIsNotStarved(t *testing.T) {
	for _, namespace := range []string{"high", "low"} {
		e := engineOf(Queue{MaxRunning: 1, AgingInterval: 10 * time.Second}, waiting(namespace+"/patient"))
		now := 0
		for i := 0; ; i++ {
			e.SetRun(waiting(fmt.Sprint("high/", i), created(now), priority(5)))
			plan := e.Decide(at(now))
			if plan.Decisions[0].Run.Name == "patient" {
				break
			}
			e.RemoveRun(plan.Decisions[0].Run.UID)
			now++
		}
		if now < 49 || now > 52 {
			t.Errorf("in namespace %s it starts after %d seconds, want five intervals", namespace, now)
		}
	}
}

func TestTheOrderIsTheOneInWhichTheyStart(t *testing.T) {
	e := engineOf(Queue{MaxRunning: 1, AgingInterval: 30 * time.Second, Weights: map[string]int{"b": 3}},
		waiting("a/running", running))
	for i := range 60 {
		e.SetRun(waiting(fmt.Sprintf("%c/%d", 'a'+i%3, i), created(i%7), priority(int32(i%4))))
	}
	e.Decide(at(10))
	order := e.Order("q")
	e.RemoveRun("running")
	for i, want := range order {
		plan := e.Decide(at(10))
		wantDecided(t, plan, "Start "+want.Name)
		e.RemoveRun(want.UID)
		if i == 30 && !slices.Equal(e.Order("q"), order[31:]) {
			t.Error("halfway the order of the rest is another one")
		}
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	e := engineOf(Queue{})
	for i := range 1_000 {
		name := fmt.Sprintf("n%d/%d", i, i)
		e.SetRun(waiting(name, concurrency(1, Wait), unique(0, KeepFirst), func(r *Run) { r.Queue = []string{"q", "gone"}[i%2] }))
		e.Decide(at(i))
		e.SetRun(waiting(name, endedAt(i), unique(0, KeepFirst)))
	}
	e.Decide(at(1_000))
	if n := len(e.runs) + len(e.groups) + len(e.unique) + len(e.queues) - 1; n > 0 {
		t.Errorf("%d runs, keys and queues are left", n)
	}
	if n := len(e.queues["q"].namespaces); n > 100 {
		t.Errorf("%d namespaces are left", n)
	}
}
