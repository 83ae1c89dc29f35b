package admission

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TestTheEngineDecidesLikeItsModel plays random events. A failure names its seed, which plays the same events again:
// go test -run 'TestTheEngineDecidesLikeItsModel/seed=17$'
func TestTheEngineDecidesLikeItsModel(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			events := make([]byte, 600)
			for i := range events {
				events[i] = byte(random.Uint32())
			}
			play(t, events)
		})
	}
}

func FuzzEngine(f *testing.F) {
	f.Add([]byte("a fuzzer may begin with anything"))
	f.Fuzz(func(t *testing.T, events []byte) {
		play(t, events[:min(len(events), 400)])
	})
}

// game plays the caller. Its reports may lag behind the decisions, and it carries decisions out late, or never.
type game struct {
	t      *testing.T
	events *bytes.Reader
	now    time.Time
	engine *Engine
	model  *model
	told   map[types.UID]Reason
	order  uint64
}

func play(t *testing.T, events []byte) {
	t.Helper()
	g := &game{t: t, events: bytes.NewReader(events), now: epoch, engine: New(), model: newModel(), told: map[types.UID]Reason{}}
	for _, name := range []string{"q0", "q1"} {
		g.setQueue(name)
	}
	for g.events.Len() > 0 {
		g.event()
		if g.pick(3) > 0 {
			g.decide()
		}
	}
	g.drain()
}

// pick returns the next choice of the event, out of n.
func (g *game) pick(n int) int {
	b, err := g.events.ReadByte()
	if err != nil {
		return 0
	}
	return int(b) % n
}

// any returns one of the runs for which a condition is true; nil if there is none.
func (g *game) any(condition func(*modelRun) bool) *modelRun {
	runs := g.model.all(condition)
	if len(runs) == 0 {
		return nil
	}
	return runs[g.pick(len(runs))]
}

func (g *game) event() {
	kind := g.pick(15)
	if testing.Verbose() {
		g.t.Log(g.now.Sub(epoch), "event", kind)
	}
	switch kind {
	case 0, 1, 2, 3, 4:
		g.newRun()
	case 5, 6, 7: // ends
		if r := g.any(func(r *modelRun) bool { return r.started }); r != nil {
			g.report(r, func(seen *Run) { seen.State, seen.Ended = Ended, g.now })
		}
	case 8: // is seen to run
		if r := g.any(func(r *modelRun) bool { return r.started }); r != nil {
			g.report(r, func(seen *Run) { seen.State = Running })
		}
	case 9: // is seen as it was before the decision
		if r := g.any(func(r *modelRun) bool { return r.started || r.dropped }); r != nil {
			seen := r.Run
			seen.State, seen.Accepted = Waiting, true
			g.engine.SetRun(seen)
			g.model.setRun(seen)
		}
	case 10:
		if r := g.any(func(*modelRun) bool { return true }); r != nil {
			g.remove(r)
		}
	case 11:
		if r := g.any(func(r *modelRun) bool { return r.State == Waiting }); r != nil {
			priority := int32(g.pick(4))
			g.report(r, func(seen *Run) { seen.Priority = &priority })
		}
	case 12:
		if name := fmt.Sprint("q", g.pick(3)); g.pick(5) == 0 {
			g.engine.RemoveQueue(name)
			g.model.removeQueue(name)
		} else {
			g.setQueue(name)
		}
	case 13:
		g.now = g.now.Add(time.Duration(g.pick(50)) * 300 * time.Millisecond)
	case 14:
		g.restart()
	}
}

func (g *game) report(r *modelRun, change func(*Run)) {
	seen := r.Run
	change(&seen)
	g.engine.SetRun(seen)
	g.model.setRun(seen)
}

func (g *game) remove(r *modelRun) {
	g.engine.RemoveRun(r.UID)
	delete(g.model.runs, r.UID)
}

func (g *game) newRun() {
	g.order++
	seen := Run{
		Key:     Key{Namespace: fmt.Sprint("n", g.pick(3)), Name: "r", UID: types.UID(fmt.Sprint(g.order*37%100, "-", g.order))},
		Queue:   fmt.Sprint("q", g.pick(5)/2),
		Created: g.now.Truncate(time.Second),
		Order:   g.order,
	}
	if priority := int32(g.pick(6)) - 1; priority >= 0 {
		seen.Priority = &priority
	}
	if g.pick(5) == 0 {
		seen.RunAfter = seen.Created.Add(time.Duration(g.pick(9)) * time.Second)
	}
	if g.pick(3) == 0 {
		seen.Concurrency = Concurrency{Key: fmt.Sprint("k", g.pick(2)), Limit: 1 + g.pick(2), Policy: Policy(g.pick(4))}
	}
	if g.pick(5) == 0 {
		seen.Unique = Unique{
			Key: fmt.Sprint("u", g.pick(2)), OnConflict: OnConflict(g.pick(2)), Window: time.Duration(g.pick(3)) * 5 * time.Second,
		}
	}
	g.engine.SetRun(seen)
	g.model.setRun(seen)
}

func (g *game) setQueue(name string) {
	q := Queue{
		Name: name, Suspended: g.pick(6) == 0, MaxRunning: g.pick(5), MaxRunningPerNamespace: g.pick(3),
		MaxPending: []int{0, 0, 0, 3, 20}[g.pick(5)], MaxPendingPerNamespace: []int{0, 0, 0, 2}[g.pick(4)],
		DefaultPriority: int32(g.pick(2)),
		AgingInterval:   time.Duration(g.pick(4)) * 3 * time.Second,
		Weights:         map[string]int{"n0": g.pick(4), "n1": 2},
	}
	if g.pick(4) == 0 {
		q.Namespaces = map[string]bool{"n0": true, "n2": g.pick(2) == 0}
	}
	if most := int32(g.pick(6)); most < 4 {
		q.MaxPriority = &most
	}
	if g.pick(4) == 0 {
		q.Rate = Rate{Starts: 1 + g.pick(2), Per: 4 * time.Second, Burst: g.pick(3)}
	}
	g.engine.SetQueue(q)
	g.model.setQueue(q)
}

// restart carries out what was decided, and goes on with a new engine that gets all queues and runs in any order. It starts with the shares
// of the old engine, because the model has them too.
func (g *game) restart() {
	g.decide()
	for _, r := range g.model.all(func(r *modelRun) bool { return r.dropped }) {
		g.remove(r)
	}
	old := g.engine
	g.engine = New()
	for _, r := range g.model.runs {
		seen := r.Run
		if r.started {
			seen.State = Running
		}
		seen.Accepted, seen.Told = r.accepted && r.waits(), r.judged && r.waits()
		r.cancelled = false
		g.engine.SetRun(seen)
		r.Run = seen
	}
	for _, q := range g.model.queues {
		g.engine.SetQueue(q)
	}
	clear(g.told)
	for name, q := range old.queues {
		if other := g.engine.queues[name]; other != nil {
			other.share, other.spent = q.share, q.spent
			for name, n := range q.namespaces {
				other.namespace(name).share = n.share
			}
		}
	}
}

// drain lets all queues run, and ends one run after the other until none waits.
func (g *game) drain() {
	g.t.Helper()
	for _, name := range []string{"q0", "q1", "q2"} {
		q := g.model.queues[name]
		q.Name, q.Suspended, q.Namespaces = name, false, nil
		g.engine.SetQueue(q)
		g.model.setQueue(q)
	}
	rounds := len(g.model.runs) + 2
	for range rounds {
		g.now = g.now.Add(10 * time.Second)
		g.decide()
		for _, r := range g.model.all(func(r *modelRun) bool { return r.started }) {
			g.report(r, func(seen *Run) { seen.State, seen.Ended = Ended, g.now })
		}
	}
	if left := g.model.all((*modelRun).waits); len(left) > 0 {
		g.t.Fatalf("%v never starts", left[0].Key)
	}
}
