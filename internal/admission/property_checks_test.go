package admission

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// decide lets the engine and the model decide, and compares what they say.
func (g *game) decide() {
	g.t.Helper()
	plan := g.engine.Decide(g.now)
	g.neverTooMany(plan)
	got := slices.Clone(plan.Decisions)
	for i := range got {
		if got[i].Cause != Replaced {
			got[i].By = Key{}
		}
	}
	want := g.model.decide(g.now)
	starts := func(d Decision) bool { return d.Action == Start }
	if a, b := only(got, starts), only(want, starts); !slices.Equal(a, b) {
		g.t.Fatalf("at %s it starts %v, want %v", g.now.Sub(epoch), a, b)
	}
	byRun := func(a, b Decision) int {
		return cmp.Or(cmp.Compare(a.Run.UID, b.Run.UID), cmp.Compare(a.Action, b.Action))
	}
	slices.SortFunc(got, byRun)
	slices.SortFunc(want, byRun)
	if !slices.Equal(got, want) {
		g.t.Fatalf("at %s it decides %v, want %v", g.now.Sub(epoch), got, want)
	}
	g.neverTooFew()
	g.answers(plan)
}

// neverTooMany counts for each start what was reported and decided before, without the help of the model's rules.
func (g *game) neverTooMany(plan Plan) {
	g.t.Helper()
	running := map[types.UID]Run{}
	for uid, r := range g.model.runs {
		if r.started {
			running[uid] = r.Run
		}
	}
	for _, d := range plan.Decisions {
		if d.Action != Start {
			continue
		}
		r, inQueue, inNamespace, ofKey := g.model.runs[d.Run.UID].Run, 0, 0, 0
		for _, other := range running {
			if other.Queue == r.Queue {
				inQueue++
				if other.Namespace == r.Namespace {
					inNamespace++
				}
			}
			if other.Namespace == r.Namespace && other.Concurrency.Key == r.Concurrency.Key {
				ofKey++
			}
		}
		q, known := g.model.queues[r.Queue]
		switch _, again := running[r.UID]; {
		case !known || g.model.forbids(g.model.runs[d.Run.UID]) || q.Suspended || again || r.RunAfter.After(g.now),
			q.MaxRunning > 0 && inQueue >= q.MaxRunning,
			q.MaxRunningPerNamespace > 0 && inNamespace >= q.MaxRunningPerNamespace,
			r.Concurrency.Key != "" && ofKey >= r.Concurrency.Limit:
			g.t.Fatalf("at %s it starts %v, which is one too many", g.now.Sub(epoch), d.Run)
		}
		running[r.UID] = r
	}
}

// neverTooFew checks that no run could start once all has been decided.
func (g *game) neverTooFew() {
	g.t.Helper()
	for name, q := range g.model.queues {
		if !q.Suspended && !g.model.queueFull(name) && !g.model.rateAllows(q).After(g.now) {
			if left := g.model.eligible(name); len(left) > 0 {
				g.t.Fatalf("at %s it leaves %v waiting, which could start", g.now.Sub(epoch), left[0].Key)
			}
		}
	}
}

// answers compares what the engine says about runs and queues with the model, and with what it has reported before.
func (g *game) answers(plan Plan) {
	g.t.Helper()
	for _, key := range plan.Changed {
		why, ok := g.engine.Why(key.UID)
		if !ok || why.Reason == g.told[key.UID] {
			g.t.Fatalf("at %s it says that the reason of %v has changed to %v", g.now.Sub(epoch), key, why)
		}
		g.told[key.UID] = why.Reason
	}
	for _, r := range g.model.all(func(*modelRun) bool { return true }) {
		why, waits := g.engine.Why(r.UID)
		if waits != r.waits() {
			g.t.Fatalf("at %s it says of %v that it waits: %v", g.now.Sub(epoch), r.Key, waits)
		}
		if !waits {
			delete(g.told, r.UID)
			continue
		}
		if want := g.reasonAtLastVisit(r); why.Reason != want || g.told[r.UID] != want {
			g.t.Fatalf("at %s %v waits for %s, and was told %q, want %s", g.now.Sub(epoch), r.Key, why.Reason, g.told[r.UID], want)
		}
	}
	for name := range g.model.queues {
		status, _ := g.engine.Status(name)
		waiting := g.model.all(func(r *modelRun) bool { return r.Queue == name && r.waits() && !g.model.forbids(r) })
		queued := g.model.all(func(r *modelRun) bool { return r.Queue == name && g.model.queued(r) && !g.model.forbids(r) })
		if status.Running != g.model.running(name, "") || status.Waiting != len(queued) || status.Delayed != len(waiting)-len(queued) {
			g.t.Fatalf("at %s it says of %s %+v, but %d wait, %d of them in line", g.now.Sub(epoch), name, status, len(waiting), len(queued))
		}
		order := g.engine.Order(name)
		if len(order) != len(queued) {
			g.t.Fatalf("at %s %d are in the order of %s, want %d", g.now.Sub(epoch), len(order), name, len(queued))
		}
		if next := g.model.next(name); next != nil && order[0] != next.Key {
			g.t.Fatalf("at %s the order of %s begins with %v, want %v", g.now.Sub(epoch), name, order[0], next.Key)
		}
	}
}

// reasonAtLastVisit is why a run waited when its queue was visited for the last time: nothing has touched the queue since, but
// as time passes another namespace may become the next.
func (g *game) reasonAtLastVisit(r *modelRun) Reason {
	defer func(now time.Time) { g.model.now = now }(g.model.now)
	g.model.now = g.engine.runs[r.UID].queue.visited
	return g.model.reason(r)
}

func only(decisions []Decision, condition func(Decision) bool) []Decision {
	return slices.DeleteFunc(slices.Clone(decisions), func(d Decision) bool { return !condition(d) })
}
