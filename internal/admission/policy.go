package admission

import "slices"

// groupKey is a concurrency key or a unique key, with its namespace.
type groupKey struct{ namespace, key string }

// group is the running runs and the lanes of one concurrency key.
type group struct {
	key     groupKey
	running []*run
	lanes   []*lane
	touched bool
}

// group returns the group of a run's concurrency key; nil without one.
func (e *Engine) group(r *run) *group {
	if r.Concurrency.Key == "" {
		return nil
	}
	key := groupKey{r.Namespace, r.Concurrency.Key}
	g := e.groups[key]
	if g == nil {
		g = &group{key: key}
		e.groups[key] = g
	}
	return g
}

// releaseGroup forgets a group that is empty.
func (e *Engine) releaseGroup(g *group) {
	if len(g.running) == 0 && len(g.lanes) == 0 && e.groups[g.key] == g {
		delete(e.groups, g.key)
	}
}

// touch makes the next Decide enforce the policies of the group.
func (e *Engine) touch(g *group) {
	if g != nil && !g.touched {
		g.touched = true
		e.touched = append(e.touched, g)
	}
}

func (r *run) uniqueKey() groupKey { return groupKey{r.Namespace, r.Unique.Key} }

// judge applies a run's unique key. Of two runs, the one that is judged later counts as the new one.
func (e *Engine) judge(r *run) {
	if r.judged || r.Unique.Key == "" {
		return
	}
	r.judged = true
	for _, other := range slices.Clone(e.unique[r.uniqueKey()]) {
		switch {
		case other.cancelled:
		case other.stage == ended && !r.Created.Before(other.Ended.Add(other.Unique.Window)):
		case r.Unique.OnConflict == KeepFirst:
			e.finish(r, Duplicate, other)
			return
		case other.waits():
			e.finish(other, Duplicate, r)
		case other.stage == started:
			e.cancel(other, Duplicate, r)
		}
	}
}

// accept ends a run that would exceed MaxPending or MaxPendingPerNamespace, and accepts any other.
func (e *Engine) accept(r *run) {
	q := r.queue
	if r.stage != queued || r.accepted || !q.known {
		return
	}
	switch limit := q.MaxPendingPerNamespace; {
	case q.MaxPending > 0 && q.accepted >= q.MaxPending:
		e.finish(r, QueueFull, nil)
	case limit > 0 && q.namespace(r.Namespace).accepted >= limit:
		e.finish(r, NamespaceFull, nil)
	default:
		r.accepted = true
		q.count(r, 1)
	}
}

// enforce applies the policies of the runs that wait for a concurrency key which is in use. It costs a step for each run that it ends: of
// the runs that replace others, only the last one is left.
func (e *Engine) enforce(g *group) {
	for _, l := range slices.Clone(g.lanes) {
		for r := l.runs.first(); r != nil && l.enforces(Refuse); r = l.runs.first() {
			e.finish(r, Refused, g.running[0])
		}
	}
	last := g.lastToReplace()
	if last == nil {
		return
	}
	for _, l := range slices.Clone(g.lanes) {
		for r := l.runs.first(); r != nil && r.before(last); r = l.runs.first() {
			e.finish(r, Replaced, last)
		}
	}
	if last.Concurrency.Policy == ReplaceRunning && !last.queue.Suspended {
		e.makeRoom(g, last)
	}
}

// enforces says whether the lane has this policy and the policy applies now.
func (l *lane) enforces(policy Policy) bool {
	return l.concurrency.Policy == policy && l.full() && l.namespace.queue.known
}

// lastToReplace returns the last of the waiting runs that replace others; nil if there is none.
func (g *group) lastToReplace() *run {
	var last *run
	for _, l := range g.lanes {
		if !l.enforces(ReplaceWaiting) && !l.enforces(ReplaceRunning) {
			continue
		}
		for _, r := range l.runs.items {
			if last == nil || last.before(r) {
				last = r
			}
		}
	}
	return last
}

// makeRoom cancels the oldest runs that hold the key, as many as must end for r to start. It spares runs that are later than r.
func (e *Engine) makeRoom(g *group, r *run) {
	excess := len(g.running) - r.lane.limit() + 1
	for _, other := range g.running {
		if other.cancelled {
			excess--
		}
	}
	for ; excess > 0; excess-- {
		var oldest *run
		for _, other := range g.running {
			if !other.cancelled && other.before(r) && (oldest == nil || other.before(oldest)) {
				oldest = other
			}
		}
		if oldest == nil {
			return
		}
		e.cancel(oldest, Replaced, r)
	}
}

func (e *Engine) finish(r *run, cause Cause, by *run) {
	e.move(r, dropped)
	e.decide(Finish, r, cause, by)
}

func (e *Engine) cancel(r *run, cause Cause, by *run) {
	r.cancelled = true
	e.decide(Cancel, r, cause, by)
}

func (e *Engine) decide(action Action, r *run, cause Cause, by *run) {
	d := Decision{Action: action, Run: r.Key, Cause: cause}
	if by != nil {
		d.By = by.Key
	}
	e.plan.Decisions = append(e.plan.Decisions, d)
}
