package admission

import (
	"maps"
	"slices"
)

// leave takes a run out of everything that knows it by its stage.
func (e *Engine) leave(r *run) {
	q := r.queue
	if r.waits() {
		q.waiting--
		if r.accepted {
			q.accepted--
		}
	}
	switch r.stage {
	case delayed:
		e.delayed.keep(r, false)
	case queued:
		l := r.lane
		r.lane = nil
		l.runs.keep(r, false)
		e.settle(l)
	case started:
		q.running--
		n := q.namespace(r.Namespace)
		n.running--
		e.settleNamespace(n)
		if g := e.group(r); g != nil {
			g.running = without(g.running, r)
			e.settleGroup(g)
		}
	default: // no index knows it
	}
	if key := r.uniqueKey(); key.key != "" {
		if e.unique[key] = without(e.unique[key], r); len(e.unique[key]) == 0 {
			delete(e.unique, key)
		}
	}
}

// enter is the counterpart of leave.
func (e *Engine) enter(r *run, to stage) {
	r.stage = to
	r.queue = e.queue(r.Queue)
	q := r.queue
	if r.waits() {
		q.waiting++
		if r.accepted {
			q.accepted++
		}
		e.moved = append(e.moved, r)
	} else {
		r.told = ""
	}
	switch to {
	case incoming:
		e.incoming = append(e.incoming, r)
	case delayed:
		e.delayed.keep(r, true)
	case queued:
		g := e.group(r)
		r.lane = q.namespace(r.Namespace).lane(laneKey{q.priority(r), r.Concurrency}, g)
		r.lane.runs.keep(r, true)
		e.settle(r.lane)
		e.touch(g)
	case started:
		q.running++
		n := q.namespace(r.Namespace)
		n.running++
		e.settleNamespace(n)
		if g := e.group(r); g != nil {
			g.running = append(g.running, r)
			e.settleGroup(g)
			e.touch(g)
		}
	default:
	}
	if key := r.uniqueKey(); key.key != "" && (r.waits() && r.judged || to == started || to == ended) {
		e.unique[key] = append(e.unique[key], r)
	}
}

// settle puts a lane where it belongs after a change, and then its namespace.
func (e *Engine) settle(l *lane) {
	n, first := l.namespace, l.runs.first()
	e.moved = append(e.moved, l.head, first)
	l.head = first
	ready := first != nil && !l.full()
	n.byAge.keep(l, ready)
	n.byPriority.keep(l, ready)
	e.settleNamespace(n)
	if first == nil {
		delete(n.lanes, l.laneKey)
		if l.group != nil {
			l.group.lanes = without(l.group.lanes, l)
			e.releaseGroup(l.group)
		}
	}
}

func (e *Engine) settleNamespace(n *namespace) {
	n.settle()
	first := n.first()
	e.moved = append(e.moved, n.head, first)
	n.head = first
}

func (e *Engine) settleGroup(g *group) {
	for _, l := range g.lanes {
		e.settle(l)
	}
	e.releaseGroup(g)
}

func (q *queue) priority(r *run) int32 {
	if r.Priority != nil {
		return *r.Priority
	}
	return q.DefaultPriority
}

func (q *queue) same(other Queue) bool {
	return q.Name == other.Name && q.Suspended == other.Suspended && q.MaxRunning == other.MaxRunning &&
		q.MaxRunningPerNamespace == other.MaxRunningPerNamespace && q.MaxPending == other.MaxPending &&
		q.Rate == other.Rate && q.DefaultPriority == other.DefaultPriority && q.AgeingInterval == other.AgeingInterval &&
		maps.Equal(q.Weights, other.Weights)
}

func (r Run) same(other Run) bool {
	if (r.Priority == nil) != (other.Priority == nil) || r.Priority != nil && *r.Priority != *other.Priority {
		return false
	}
	r.Priority = other.Priority
	return r == other
}

func without[T comparable](items []T, x T) []T {
	if i := slices.Index(items, x); i >= 0 {
		return slices.Delete(items, i, i+1)
	}
	return items
}
