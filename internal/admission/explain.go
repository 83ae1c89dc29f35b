package admission

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// reason says why a run waits that Decide has not started.
func (e *Engine) reason(r *run) Reason {
	q, l := r.queue, r.lane
	switch {
	case !q.known:
		return QueueNotFound
	case l == nil:
		return NotBefore
	case q.Suspended:
		return QueueSuspended
	case r != l.runs.first():
		return Behind
	case l.full():
		return ConcurrencyLimit
	case r != l.namespace.first():
		return Behind
	case l.namespace.full():
		return NamespaceLimit
	case r != q.front:
		return Behind
	case q.full():
		return QueueLimit
	}
	return RateLimited
}

// Why says why a run waits, as of the last Decide; false for one that does not wait, or is not known yet.
func (e *Engine) Why(uid types.UID) (Explanation, bool) {
	r := e.runs[uid]
	if r == nil || !r.waits() || r.told == "" {
		return Explanation{}, false
	}
	wait := Explanation{Reason: r.told}
	q := r.queue
	switch r.told {
	case NotBefore:
		wait.Until = r.RunAfter
	case ConcurrencyLimit:
		wait.Limit = max(r.Concurrency.Limit, 1)
		holders := e.group(r).running
		wait.InUse = len(holders)
		for _, other := range holders[:min(len(holders), MostHolders)] {
			wait.Holders = append(wait.Holders, other.Key)
		}
	case NamespaceLimit:
		wait.InUse, wait.Limit = q.namespaces[r.Namespace].running, q.MaxRunningPerNamespace
	case QueueLimit:
		wait.InUse, wait.Limit = q.running, q.MaxRunning
	case RateLimited:
		wait.Until = q.rateAllows()
	default: // the reason says it all
	}
	return wait, true
}

// Status describes a queue; false if nobody knows or asks for it.
func (e *Engine) Status(name string) (QueueStatus, bool) {
	q := e.queues[name]
	if q == nil {
		return QueueStatus{}, false
	}
	status := QueueStatus{
		Known: q.known, Suspended: q.Suspended, Running: q.running, Waiting: q.line.len(), Delayed: q.later.len(),
	}
	if r := q.line.first(); r != nil {
		status.Oldest = r.Created
	}
	return status, true
}

// RunningIn is how many runs of a namespace run in a queue.
func (e *Engine) RunningIn(queue, namespace string) int {
	if q := e.queues[queue]; q != nil && q.namespaces[namespace] != nil {
		return q.namespaces[namespace].running
	}
	return 0
}

// Order returns the waiting runs of a queue in the order in which they would start if only the queue held them back, those
// that could start now before those that could not; the first is the next. Runs whose time has not come are not
// in it. It costs as much as starting them all: ask when a person does, not in a loop.
func (e *Engine) Order(name string) []Key {
	q := e.queues[name]
	if q == nil {
		return nil
	}
	copied := Queue{Name: name, DefaultPriority: q.DefaultPriority, AgeingInterval: q.AgeingInterval, Weights: q.Weights}
	dry := New()
	dry.SetQueue(copied)
	dry.queues[name].share = q.share
	var order []Key
	for _, ready := range []bool{true, false} {
		for _, n := range q.namespaces {
			if ready {
				dry.queues[name].namespace(n.name).share = n.share
			}
			for _, l := range n.lanes {
				if (n.place > 0 && l.place > 0) != ready {
					continue
				}
				for _, r := range l.runs.items {
					dry.SetRun(Run{
						Key: r.Key, Queue: name, Priority: &l.priority, Created: time.Unix(r.since, 0), Order: r.order,
					})
				}
			}
		}
		for _, d := range dry.Decide(e.now).Decisions {
			order = append(order, d.Run)
		}
	}
	return order
}
