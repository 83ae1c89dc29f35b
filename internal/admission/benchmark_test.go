package admission

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// BenchmarkStart is one slot that gets free, the next start, and a new run at the end of the queue.
func BenchmarkStart(b *testing.B) {
	for _, waiting := range []int{1, 10, 100, 1_000, 10_000, 100_000} {
		for _, namespaces := range []int{1, 100} {
			b.Run(fmt.Sprintf("waiting=%d/namespaces=%d", waiting, namespaces), func(b *testing.B) {
				e := New()
				e.SetQueue(Queue{Name: "q", MaxRunning: 1, MaxRunningPerNamespace: 1, AgingInterval: time.Minute})
				arrived := 0
				arrive := func() {
					n := arrived % namespaces
					e.SetRun(Run{
						Key:     Key{Namespace: fmt.Sprint("n", n), Name: "r", UID: types.UID(fmt.Sprintf("%09d", arrived))},
						Queue:   "q",
						Created: epoch.Add(time.Duration(arrived) * time.Millisecond),
					})
					arrived++
				}
				for range waiting + 1 {
					arrive()
				}
				now := epoch.Add(time.Hour)
				running := e.Decide(now).Decisions[0].Run
				b.ResetTimer()
				for b.Loop() {
					now = now.Add(time.Second)
					e.RemoveRun(running.UID)
					arrive()
					plan := e.Decide(now)
					if len(plan.Decisions) != 1 {
						b.Fatalf("got %v, want one start", plan.Decisions)
					}
					running = plan.Decisions[0].Run
				}
			})
		}
	}
}

// BenchmarkSchedule is a whole simulated schedule: 60 runs of three namespaces that arrive, wait, start and end.
func BenchmarkSchedule(b *testing.B) {
	for b.Loop() {
		e := New()
		e.SetQueue(Queue{Name: "q", MaxRunning: 4, MaxRunningPerNamespace: 2, AgingInterval: time.Minute})
		var active []Key
		for second, started := 0, 0; started < 60; second++ {
			if second < 60 {
				uid := types.UID(fmt.Sprint(second))
				e.SetRun(Run{Key: Key{Namespace: []string{"a", "b", "c"}[second%3], UID: uid}, Queue: "q", Created: at(second)})
			}
			if second%2 == 0 && len(active) > 0 {
				e.RemoveRun(active[0].UID)
				active = active[1:]
			}
			for _, d := range e.Decide(at(second)).Decisions {
				active = append(active, d.Run)
				started++
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "schedules/s")
}

// BenchmarkOrder is what it costs to tell the positions of 10,000 waiting runs.
func BenchmarkOrder(b *testing.B) {
	e := engineOf(Queue{MaxRunning: 1})
	for i := range 10 {
		backlog(e, fmt.Sprint("n", i), 1_000)
	}
	e.Decide(at(0))
	for b.Loop() {
		e.Order("q")
	}
}
