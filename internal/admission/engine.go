package admission

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Engine is the state of all queues. It is not safe for concurrent use.
type Engine struct {
	now    time.Time
	queues map[string]*queue
	runs   map[types.UID]*run
	groups map[groupKey]*group
	// unique holds the runs that count for each unique key.
	unique map[groupKey][]*run
	seen   uint64

	// incoming are the runs that the next Decide looks at, and dirty the queues that it visits. timed are the queues that have to be
	// visited at a certain time.
	incoming []*run
	dirty    []*queue
	timed    heap[*queue]
	// touched are the concurrency keys that may have become full, and moved the runs whose reason may have changed.
	touched []*group
	moved   []*run
	plan    Plan
	// visits counts all visits to queues. Only tests read it.
	visits int
}

// stage is where a run is by the engine's own decisions. It may be ahead of what was reported.
type stage int

const (
	incoming stage = iota // waits for the next Decide
	delayed               // waits for a time
	queued                // waits for its turn
	started               // runs, or is about to
	dropped               // is about to end, without having started
	ended                 // is remembered because of its unique key
)

type run struct {
	Run
	stage stage
	queue *queue
	lane  *lane // while queued
	since int64 // the second from which the run counts as waiting
	order uint64
	// accepted says that the run has passed MaxPending, judged that its unique key was judged, and cancelled that it is to end.
	accepted, judged, cancelled bool
	lastReason                  Reason // why it waits, as of the last Decide
	laneIndex, queueIndex       int    // in the heap of its lane, and in one of the two of its queue
}

// before says whether r came before another run.
func (r *run) before(other *run) bool { return arrival(r, other) < 0 }

func (r *run) waits() bool { return r.stage <= queued }

// New returns an engine without queues and runs.
func New() *Engine {
	return &Engine{
		queues: map[string]*queue{},
		runs:   map[types.UID]*run{},
		groups: map[groupKey]*group{},
		unique: map[groupKey][]*run{},
		timed: heap[*queue]{
			less: func(a, b *queue) bool {
				if c := a.wakeAt.Compare(b.wakeAt); c != 0 {
					return c < 0
				}
				return a.Name < b.Name
			},
			index: func(q *queue) *int { return &q.timedIndex },
		},
	}
}

// SetQueue reports that a queue exists, with these settings. A new rate starts with a full bucket.
func (e *Engine) SetQueue(settings Queue) {
	q := e.queue(settings.Name)
	if q.known && q.same(settings) {
		return
	}
	e.change(q, settings, true)
}

// RemoveQueue reports that a queue does not exist any more. Its started runs go on. Its waiting runs wait for the queue to come back.
func (e *Engine) RemoveQueue(name string) {
	if q := e.queues[name]; q != nil && q.known {
		e.change(q, Queue{Name: name}, false)
	}
}

// change gives the queue other settings. It takes all waiting runs out and has them come in again, because any setting may change their
// order, or forbid them.
func (e *Engine) change(q *queue, settings Queue, known bool) {
	waiting := q.waiting()
	for _, r := range waiting {
		e.leave(r)
	}
	if q.Rate != settings.Rate {
		q.spent = time.Time{}
	}
	q.Queue, q.known = settings, known
	for _, r := range waiting {
		e.enter(r, incoming)
	}
	e.mark(q)
}

// SetRun reports a run as the caller sees it, new, changed or not, and says whether that changes anything. The caller reports the versions
// of a run in their order.
func (e *Engine) SetRun(seen Run) bool {
	r := e.runs[seen.UID]
	if r == nil {
		e.seen++
		r = &run{Run: seen, order: seen.Order, queue: e.queue(seen.Queue)}
		if r.order == 0 {
			r.order = e.seen
		}
		e.runs[seen.UID] = r
	} else {
		seen.State = max(seen.State, r.State)
		if r.knows(seen) {
			return false
		}
		e.leave(r)
		r.judged = r.judged && r.Unique == seen.Unique
		r.Run = seen
	}
	r.accepted = r.accepted || seen.Accepted
	r.judged = r.judged || seen.Told || seen.Accepted
	r.since = latest(r.Created, r.RunAfter).Unix()
	switch {
	case r.State == Ended && (r.Unique.Key == "" || r.Unique.Window <= 0):
		delete(e.runs, r.UID)
		r.stage = dropped
	case r.State == Ended:
		e.enter(r, ended)
	case r.State == Running || r.stage == started:
		e.enter(r, started)
	case r.stage == dropped:
	default:
		e.enter(r, incoming)
	}
	return true
}

// RemoveRun reports that a run is gone, or that it ended without having started.
func (e *Engine) RemoveRun(uid types.UID) {
	if r := e.runs[uid]; r != nil {
		e.leave(r)
		r.stage = dropped
		delete(e.runs, uid)
	}
}

// queue returns the queue of this name. It makes one for a name that only a run asks for.
func (e *Engine) queue(name string) *queue {
	q := e.queues[name]
	if q == nil {
		q = newQueue(name)
		e.queues[name] = q
		e.mark(q)
	}
	return q
}

// mark makes the next Decide visit the queue.
func (e *Engine) mark(q *queue) {
	if !q.dirty {
		q.dirty = true
		e.dirty = append(e.dirty, q)
	}
}

// Running returns a run that counts as running, as it was reported; false for any other run.
func (e *Engine) Running(uid types.UID) (Run, bool) {
	if r := e.runs[uid]; r != nil && r.stage == started {
		return r.Run, true
	}
	return Run{}, false
}

func (e *Engine) move(r *run, to stage) {
	e.leave(r)
	e.enter(r, to)
}

// arrival orders runs by first come, first served. It is a total order, and stays the same while runs wait.
func arrival(a, b *run) int {
	return cmp.Or(cmp.Compare(a.since, b.since), cmp.Compare(a.order, b.order), cmp.Compare(a.UID, b.UID))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
