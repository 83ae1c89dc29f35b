package admission

import (
	"maps"
	"slices"
	"time"
)

// decide is what the engine should decide. Causes and runs are compared, and the other run where there can be only one.
func (m *model) decide(now time.Time) []Decision {
	m.now = now
	var decisions []Decision
	decide := func(action Action, r *modelRun, cause Cause, by *modelRun) {
		d := Decision{Action: action, Run: r.Key, Cause: cause}
		if cause == Replaced {
			d.By = by.Key
		}
		decisions = append(decisions, d)
		r.started = r.started || action == Start
		r.dropped = r.dropped || action == Finish
		r.cancelled = r.cancelled || action == Cancel
	}
	for _, r := range m.all(func(r *modelRun) bool { return r.waits() && !r.judged }) {
		m.judge(r, decide)
	}
	for _, name := range slices.Sorted(maps.Keys(m.queues)) {
		q := m.queues[name]
		for !q.Suspended && !m.queueFull(name) && !m.rateAllows(q).After(now) {
			r := m.next(name)
			if r == nil {
				break
			}
			m.charge(r)
			m.spent[name] = latest(m.spent[name], now).Add(m.every(q))
			decide(Start, r, "", nil)
		}
	}
	for _, r := range m.all(func(r *modelRun) bool { return m.queued(r) && !r.accepted }) {
		q := m.queues[r.Queue]
		inLine := m.all(func(o *modelRun) bool { return m.queued(o) && !m.forbids(o) && o.accepted && o.Queue == r.Queue })
		ofNamespace := 0
		for _, o := range inLine {
			if o.Namespace == r.Namespace {
				ofNamespace++
			}
		}
		switch {
		case !m.takes(r):
		case q.MaxPending > 0 && len(inLine) >= q.MaxPending:
			decide(Finish, r, QueueFull, nil)
		case q.MaxPendingPerNamespace > 0 && ofNamespace >= q.MaxPendingPerNamespace:
			decide(Finish, r, NamespaceFull, nil)
		default:
			r.accepted = true
		}
	}
	m.enforce(decide)
	for queue := range m.clock {
		_, known := m.queues[queue]
		if !known && len(m.all(func(r *modelRun) bool { return r.Queue == queue && (r.waits() || r.started) })) == 0 {
			m.forgetShares(queue)
		}
	}
	return decisions
}

func (m *model) judge(r *modelRun, decide func(Action, *modelRun, Cause, *modelRun)) {
	r.judged = true
	if r.Unique.Key == "" {
		return
	}
	others := m.all(func(o *modelRun) bool {
		return o != r && o.Namespace == r.Namespace && o.Unique.Key == r.Unique.Key && !o.cancelled &&
			(o.started || o.waits() && o.judged || o.State == Ended && o.Unique.Window > 0 && r.Created.Before(o.Ended.Add(o.Unique.Window)))
	})
	if len(others) > 0 && r.Unique.OnConflict == KeepFirst {
		decide(Finish, r, Duplicate, others[0])
		return
	}
	for _, other := range others {
		switch {
		case other.started:
			decide(Cancel, other, Duplicate, r)
		case other.waits():
			decide(Finish, other, Duplicate, r)
		}
	}
}

// enforce looks at each run that waits for a key which is in use, the last one first.
func (m *model) enforce(decide func(Action, *modelRun, Cause, *modelRun)) {
	stuck := m.all(func(r *modelRun) bool {
		return m.queued(r) && m.takes(r) && m.keyFull(r)
	})
	slices.Reverse(stuck)
	for _, r := range stuck {
		if !r.waits() || r.Concurrency.Policy == Wait {
			continue
		}
		holders := m.holders(r)
		if r.Concurrency.Policy == Refuse {
			decide(Finish, r, Refused, holders[0])
			continue
		}
		for _, other := range m.all(func(o *modelRun) bool {
			return m.queued(o) && o.Namespace == r.Namespace && o.Concurrency.Key == r.Concurrency.Key && o.before(r)
		}) {
			if other.Concurrency.Policy == Refuse && m.keyFull(other) && m.takes(other) {
				continue // it is refused in any case
			}
			decide(Finish, other, Replaced, r)
		}
		staying := len(holders)
		for _, other := range holders {
			if other.cancelled {
				staying--
			}
		}
		for _, other := range holders {
			if r.Concurrency.Policy == ReplaceRunning && !m.queues[r.Queue].Suspended &&
				staying >= r.Concurrency.Limit && !other.cancelled && other.before(r) {
				decide(Cancel, other, Replaced, r)
				staying--
			}
		}
	}
}
