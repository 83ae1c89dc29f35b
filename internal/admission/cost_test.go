package admission

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// A decision visits only the queues that it is about. 10,000 others cost it nothing, whether they exist, are full, or are only names that
// runs ask for: neither when a run arrives, nor when it ends, nor when it is removed.
func TestADecisionCostsWhatItTouches(t *testing.T) {
	others := map[string]func(e *Engine, i int){
		"queues that exist": func(e *Engine, i int) { e.SetQueue(Queue{Name: fmt.Sprint("other-", i)}) },
		"queues that are full": func(e *Engine, i int) {
			e.SetQueue(Queue{Name: fmt.Sprint("other-", i), MaxRunning: 1})
			for j := range 2 {
				e.SetRun(Run{Key: Key{Namespace: "b", UID: types.UID(fmt.Sprint("other-", i, "-", j))}, Queue: fmt.Sprint("other-", i), Created: epoch})
			}
		},
		"names that nobody knows": func(e *Engine, i int) {
			e.SetRun(Run{Key: Key{Namespace: "b", UID: types.UID(fmt.Sprint("other-", i))}, Queue: fmt.Sprint("other-", i), Created: epoch})
		},
		"queues whose rate holds them back": func(e *Engine, i int) {
			e.SetQueue(Queue{Name: fmt.Sprint("other-", i), Rate: Rate{Starts: 1, Per: 24 * time.Hour}})
			for j := range 2 {
				e.SetRun(Run{Key: Key{Namespace: "b", UID: types.UID(fmt.Sprint("other-", i, "-", j))}, Queue: fmt.Sprint("other-", i), Created: epoch})
			}
		},
	}
	for name, other := range others {
		t.Run(name, func(t *testing.T) {
			visits := func(n int) int {
				e := engineOf(Queue{MaxRunning: 1}, waiting("a/1"), waiting("a/2"))
				for i := range n {
					other(e, i)
				}
				e.Decide(at(0))
				before := e.visits
				e.SetRun(waiting("a/3", created(1)))
				e.Decide(at(1))
				e.RemoveRun("1")
				wantDecided(t, e.Decide(at(2)), "Start 2")
				e.RemoveRun("3")
				e.Decide(at(3))
				e.Decide(at(4)) // nothing has happened
				return e.visits - before
			}
			few, many := visits(10), visits(10_000)
			if few != 3 || many != few {
				t.Errorf("beside 10 other queues it visits %d, and beside 10,000 %d, want 3", few, many)
			}
		})
	}
}

// A run of a queue that does not exist leaves nothing behind.
func TestNamesOfQueuesAreForgottenWithTheirRuns(t *testing.T) {
	e := engineOf(Queue{})
	for i := range 100 {
		e.SetRun(waiting(fmt.Sprint("a/", i), func(r *Run) { r.Queue = fmt.Sprint("other-", i) }))
	}
	e.Decide(at(0))
	for i := range 100 {
		e.RemoveRun(types.UID(fmt.Sprint(i)))
	}
	e.Decide(at(1))
	if len(e.queues) != 1 || len(e.dirty)+e.timed.len() != 0 {
		t.Errorf("%d queues are left, %d to be visited and %d timed", len(e.queues), len(e.dirty), e.timed.len())
	}
}

// BenchmarkDecide is one run that arrives and is removed, beside many queues.
func BenchmarkDecide(b *testing.B) {
	for _, others := range []int{0, 10, 10_000} {
		b.Run(fmt.Sprint("others=", others), func(b *testing.B) {
			e := engineOf(Queue{MaxRunning: 1}, waiting("a/1"))
			for i := range others {
				e.SetRun(Run{Key: Key{Namespace: "b", UID: types.UID(fmt.Sprint("other-", i))}, Queue: fmt.Sprint("other-", i), Created: epoch})
			}
			e.Decide(at(0))
			for b.Loop() {
				e.SetRun(waiting("a/2"))
				e.Decide(at(1))
				e.RemoveRun("2")
				e.Decide(at(1))
			}
		})
	}
}
