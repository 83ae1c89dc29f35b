package admission

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// reason says why a run still waits after Decide.
func (e *Engine) reason(r *run) Reason {
	q, l := r.queue, r.lane
	switch {
	case q.forbids:
		return QueueForbidden
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
	if r == nil || !r.waits() || r.lastReason == "" {
		return Explanation{}, false
	}
	wait := Explanation{Reason: r.lastReason}
	q := r.queue
	switch r.lastReason {
	case QueueNotFound:
		wait.MissingSince = q.missingSince
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
	default: // no more to say
	}
	return wait, true
}

// Status describes a queue; false if the queue is not known and no run asks for it.
func (e *Engine) Status(name string) (QueueStatus, bool) {
	q := e.queues[name]
	if q == nil {
		return QueueStatus{}, false
	}
	return q.status(), true
}

func (q *queue) status() QueueStatus {
	status := QueueStatus{
		Known: q.known, Suspended: q.Suspended, Running: q.running, Waiting: q.line.len(), Delayed: q.later.len(),
	}
	if r := q.line.first(); r != nil {
		status.Oldest = r.Created
	}
	return status
}

// HasRoom says whether the queue has room for one more running run of the namespace. A queue that does not exist has no limits.
func (e *Engine) HasRoom(queue, namespace string) bool {
	q := e.queues[queue]
	if q == nil || !q.known {
		return true
	}
	n := q.namespaces[namespace]
	return q.takes(namespace) && !q.full() && (n == nil || !n.full())
}

// Queues are the names of the queues that exist, sorted.
func (e *Engine) Queues() []string {
	var names []string
	for name, q := range e.queues {
		if q.known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Find finds a waiting run by its name and the name of its queue. It looks at all runs.
func (e *Engine) Find(queue, namespace, name string) (Run, bool) {
	for _, r := range e.runs {
		if r.waits() && r.Queue == queue && r.Namespace == namespace && r.Name == name {
			return r.Run, true
		}
	}
	return Run{}, false
}

// Waiting returns a waiting run, as it was reported; false for any other run.
func (e *Engine) Waiting(uid types.UID) (Run, bool) {
	if r := e.runs[uid]; r != nil && r.waits() {
		return r.Run, true
	}
	return Run{}, false
}

// Order returns the waiting runs of a queue in the order in which they would start if only the queue held them back: first those that could
// start now, then the others. Runs whose RunAfter has not come are not in it. It costs as much as starting them all, so call it when a
// person asks, not in a loop.
func (e *Engine) Order(name string) []Key {
	q := e.queues[name]
	if q == nil {
		return nil
	}
	copied := Queue{Name: name, DefaultPriority: q.DefaultPriority, AgingInterval: q.AgingInterval, Weights: q.Weights}
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
				if (n.shareIndex > 0 && l.ageIndex > 0) != ready {
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
