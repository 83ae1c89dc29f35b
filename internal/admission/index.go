package admission

import (
	"maps"
	"slices"
)

// leave removes a run from all indexes of its stage.
func (e *Engine) leave(r *run) {
	q := r.queue
	e.mark(q)
	if r.inLine() {
		q.line.keep(r, false)
		if r.accepted {
			q.count(r, -1)
		}
	}
	switch r.stage {
	case delayed:
		q.later.keep(r, false)
	case queued:
		l := r.lane
		r.lane = nil
		l.runs.keep(r, false)
		e.updateLane(l)
	case started:
		q.running--
		n := q.namespace(r.Namespace)
		n.running--
		e.updateNamespace(n)
		if g := e.group(r); g != nil {
			g.running = without(g.running, r)
			e.updateGroup(g)
		}
	default: // it is in no index
	}
	if key := r.uniqueKey(); key.key != "" {
		if e.unique[key] = without(e.unique[key], r); len(e.unique[key]) == 0 {
			delete(e.unique, key)
		}
	}
}

// enter gives a run a stage and adds it to the indexes of that stage.
func (e *Engine) enter(r *run, to stage) {
	r.stage = to
	r.queue = e.queue(r.Queue)
	if r.waits() {
		r.queue = r.queue.whereWaits(r)
	}
	q := r.queue
	e.mark(q)
	if r.inLine() {
		q.line.keep(r, true)
		if r.accepted {
			q.count(r, 1)
		}
	}
	if r.waits() {
		e.moved = append(e.moved, r)
	} else {
		r.lastReason = ""
	}
	switch to {
	case incoming:
		e.incoming = append(e.incoming, r)
	case delayed:
		q.later.keep(r, true)
	case queued:
		g := e.group(r)
		r.lane = q.namespace(r.Namespace).lane(laneKey{q.priority(r), r.Concurrency}, g)
		r.lane.runs.keep(r, true)
		e.updateLane(r.lane)
		e.touch(g)
	case started:
		q.running++
		n := q.namespace(r.Namespace)
		n.running++
		e.updateNamespace(n)
		if g := e.group(r); g != nil {
			g.running = append(g.running, r)
			e.updateGroup(g)
			e.touch(g)
		}
	default:
	}
	if key := r.uniqueKey(); key.key != "" && (r.waits() && r.judged || to == started || to == ended) {
		e.unique[key] = append(e.unique[key], r)
	}
}

// updateLane moves a lane, and then its namespace, to the right place after a change.
func (e *Engine) updateLane(l *lane) {
	n, first := l.namespace, l.runs.first()
	e.moved = append(e.moved, l.head, first)
	l.head = first
	e.mark(n.queue)
	l.held = l.full()
	ready := first != nil && !l.held
	n.byAge.keep(l, ready)
	n.byPriority.keep(l, ready)
	e.updateNamespace(n)
	if first == nil {
		delete(n.lanes, l.laneKey)
		if l.group != nil {
			l.group.lanes = without(l.group.lanes, l)
			e.releaseGroup(l.group)
		}
	}
}

func (e *Engine) updateNamespace(n *namespace) {
	n.update()
	first := n.first()
	e.moved = append(e.moved, n.head, first)
	n.head = first
}

func (e *Engine) updateGroup(g *group) {
	for _, l := range g.lanes {
		if l.held != l.full() {
			e.updateLane(l)
		}
	}
	e.releaseGroup(g)
}

// inLine says whether the run waits for more than its RunAfter.
func (r *run) inLine() bool { return r.stage == incoming || r.stage == queued }

// count adds n to the numbers of accepted runs that the run counts in.
func (q *queue) count(r *run, n int) {
	q.accepted += n
	q.namespace(r.Namespace).accepted += n
}

func (q *queue) priority(r *run) int32 {
	priority := q.DefaultPriority
	if r.Priority != nil {
		priority = *r.Priority
	}
	if q.MaxPriority != nil {
		return min(priority, *q.MaxPriority)
	}
	return priority
}

func (q *queue) same(other Queue) bool {
	return q.Name == other.Name && q.Suspended == other.Suspended && q.MaxRunning == other.MaxRunning &&
		q.MaxRunningPerNamespace == other.MaxRunningPerNamespace && q.MaxPending == other.MaxPending &&
		q.MaxPendingPerNamespace == other.MaxPendingPerNamespace && samePriority(q.MaxPriority, other.MaxPriority) &&
		q.Rate == other.Rate && q.DefaultPriority == other.DefaultPriority && q.AgingInterval == other.AgingInterval &&
		maps.Equal(q.Weights, other.Weights) && maps.Equal(q.Namespaces, other.Namespaces)
}

func samePriority(a, b *int32) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// knows says whether a report of the run changes nothing of what was reported or decided before.
func (r *run) knows(seen Run) bool {
	if !samePriority(r.Priority, seen.Priority) || seen.Accepted && !r.accepted || seen.Told && !r.judged {
		return false
	}
	known := r.Run
	known.Priority, known.Accepted, known.Told, known.Order = seen.Priority, seen.Accepted, seen.Told, seen.Order
	return known == seen
}

func without[T comparable](items []T, x T) []T {
	if i := slices.Index(items, x); i >= 0 {
		return slices.Delete(items, i, i+1)
	}
	return items
}
