package admission

import (
	"slices"
	"time"
)

// Decide says what to do now. It starts all that can start, so that each run which then waits has a Reason for it.
func (e *Engine) Decide(now time.Time) Plan {
	e.now = latest(e.now, now)
	e.plan = Plan{}
	arrived := e.admit()
	for _, name := range e.names {
		e.start(e.queues[name])
	}
	for _, r := range arrived {
		e.accept(r)
	}
	for len(e.touched) > 0 {
		g := e.touched[0]
		e.touched = e.touched[1:]
		g.touched = false
		e.enforce(g)
	}
	e.touched = nil
	e.tell()
	e.forget()
	if r := e.delayed.first(); r != nil {
		e.wake(r.RunAfter)
	}
	return e.plan
}

// admit brings what was reported, and those whose time has come, to their queues. It returns all that were reported.
func (e *Engine) admit() []*run {
	arrived := e.incoming
	e.incoming = nil
	slices.SortStableFunc(arrived, arrival)
	for _, r := range arrived {
		if r.stage == incoming {
			e.judge(r)
		}
		if r.stage == incoming {
			e.join(r)
		}
	}
	for r := e.delayed.first(); r != nil && !r.RunAfter.After(e.now); r = e.delayed.first() {
		e.join(r)
	}
	return arrived
}

// join puts a run into its queue once its time has come. One that was created in the future, by another clock, joins now.
func (e *Engine) join(r *run) {
	if r.RunAfter.After(e.now) {
		e.move(r, delayed)
		return
	}
	e.leave(r)
	r.since = min(r.since, e.now.Unix())
	e.enter(r, queued)
}

// start starts what the queue has room for.
func (e *Engine) start(q *queue) {
	for q.open() {
		n := q.next(e.now.Unix())
		if n == nil {
			return
		}
		if at := q.rateAllows(); at.After(e.now) {
			e.wake(at)
			return
		}
		r := n.first()
		q.spend(e.now)
		q.charge(n)
		e.move(r, started)
		e.decide(Start, r, "", nil)
	}
}

func (e *Engine) wake(at time.Time) {
	if e.plan.Next.IsZero() || at.Before(e.plan.Next) {
		e.plan.Next = at
	}
}

// tell lists the runs whose reason has changed. Only the first of a lane, of a namespace and of a queue can have
// another reason without having been moved, so this costs a few looks for each start, however many wait.
func (e *Engine) tell() {
	for _, name := range e.names {
		q := e.queues[name]
		e.moved = append(e.moved, q.front)
		q.front = nil
		if n := q.next(e.now.Unix()); n != nil {
			q.front = n.first()
		}
		e.moved = append(e.moved, q.front)
	}
	for _, r := range e.moved {
		if r == nil || !r.waits() {
			continue
		}
		if reason := e.reason(r); reason != r.told {
			r.told = reason
			e.plan.Changed = append(e.plan.Changed, r.Key)
		}
	}
	clear(e.moved)
	e.moved = e.moved[:0]
}

// forget drops the queues that do not exist, and that nobody asks for any more.
func (e *Engine) forget() {
	e.names = slices.DeleteFunc(e.names, func(name string) bool {
		q := e.queues[name]
		gone := !q.known && q.waiting+q.running == 0
		if gone {
			delete(e.queues, name)
		}
		return gone
	})
}
