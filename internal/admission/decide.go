package admission

import (
	"slices"
	"strings"
	"time"
)

// Decide returns what to do now. It starts every run that can start, so each run that still waits has a Reason.
func (e *Engine) Decide(now time.Time) Plan {
	e.now = latest(e.now, now)
	e.plan = Plan{}
	for q := e.timed.first(); q != nil && !q.wakeAt.After(e.now); q = e.timed.first() {
		e.timed.keep(q, false)
		e.mark(q)
	}
	arrived := e.admit()
	// A queue that is marked from here on has only lost waiting runs, so it can start nothing more.
	slices.SortFunc(e.dirty, byName)
	for _, q := range slices.Clone(e.dirty) {
		e.start(q)
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
	e.noteReasons()
	e.leaveQueues()
	return e.plan
}

func byName(a, b *queue) int { return strings.Compare(a.Name, b.Name) }

// admit puts the reported runs, and those whose RunAfter has come, into their queues. It returns them in the order of their arrival.
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
	for _, q := range e.dirty {
		for r := q.later.first(); r != nil && !r.RunAfter.After(e.now); r = q.later.first() {
			e.join(r)
			arrived = append(arrived, r)
		}
	}
	slices.SortStableFunc(arrived, arrival)
	return arrived
}

// join puts a run into its queue, or has it wait for its RunAfter. A run whose creation lies in the future, by another clock, joins now.
func (e *Engine) join(r *run) {
	if r.RunAfter.After(e.now) {
		e.move(r, delayed)
		return
	}
	e.leave(r)
	r.since = min(r.since, e.now.Unix())
	e.enter(r, queued)
}

// start starts as many runs of the queue as there is room for.
func (e *Engine) start(q *queue) {
	e.visits++
	for q.open() {
		n := q.next(e.now.Unix())
		if n == nil || q.rateAllows().After(e.now) {
			return
		}
		r := n.first()
		q.spend(e.now)
		q.charge(n)
		e.move(r, started)
		e.decide(Start, r, "", nil)
	}
}

// noteReasons lists the runs whose reason has changed. A run that has not been moved can only have another reason if it is the first of a
// lane, of a namespace or of a queue. So this costs a few looks for each start, however many runs wait.
func (e *Engine) noteReasons() {
	for _, q := range e.dirty {
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
		if reason := e.reason(r); reason != r.lastReason {
			r.lastReason = reason
			e.plan.Changed = append(e.plan.Changed, r.Key)
		}
	}
	clear(e.moved)
	e.moved = e.moved[:0]
}

// leaveQueues notes when each visited queue is to be visited again. It forgets queues that do not exist and hold no run.
func (e *Engine) leaveQueues() {
	for _, q := range e.dirty {
		q.dirty = false
		q.visited = e.now
		e.timed.keep(q, false)
		q.noteMissing(e.now)
		if !q.forbids && e.queues[q.Name] != q { // forgotten earlier: only a run that has ended still refers to it
			continue
		}
		if !q.known && !q.forbids && q.isEmpty() {
			delete(e.queues, q.Name)
			continue
		}
		q.wakeAt = q.nextVisit()
		e.timed.keep(q, !q.wakeAt.IsZero())
		if status := q.status(); !q.forbids && status != q.lastStatus {
			q.lastStatus = status
			e.plan.Queues = append(e.plan.Queues, q.Name)
		}
	}
	clear(e.dirty)
	e.dirty = e.dirty[:0]
	if q := e.timed.first(); q != nil {
		e.plan.Next = q.wakeAt
	}
}
