package admission

import (
	"math"
	"slices"
	"time"
)

// A queue has namespaces, a namespace has lanes, and a lane has runs. All runs of a lane have the same priority and the same concurrency
// key. So they are first come, first served, and are held back together. A lane or a namespace that is held back is in no heap of those
// that could start, so it costs nothing. See docs/decisions/admission.md.

// startCost is what one start costs a namespace of weight 1.
const startCost = 1 << 32

type queue struct {
	Queue
	known bool
	// forbidden holds the runs that wait although their namespace may not use the queue; nil until there is one. It is itself a queue,
	// which counts as unknown, so that it starts nothing. forbids marks it.
	forbidden *queue
	forbids   bool
	// missingSince is when runs began to wait for this queue while it is not known; zero if none do.
	missingSince time.Time
	// lastStatus is the status of the queue as of the last Decide.
	lastStatus QueueStatus
	// running counts the started runs, and accepted those in the line that have passed MaxPending.
	running, accepted int
	// line holds the waiting runs, the oldest first. later holds those whose RunAfter has not come.
	line, later heap[*run]

	// dirty says that the next Decide visits the queue. visited is when that happened last, and wakeAt when it has to happen again if
	// nothing is reported before.
	dirty           bool
	visited, wakeAt time.Time
	timedIndex      int // in Engine.timed

	namespaces map[string]*namespace
	pruneAt    int // at so many namespaces, look for idle ones
	// byShare and byPriority hold the namespaces that could start a run if the queue had a slot.
	byShare, byPriority heap[*namespace]
	// share is the least share of the namespaces that could start a run. A namespace that joins them starts from there.
	share uint64
	// spent is when the tokens of all starts so far have come back.
	spent time.Time
	// front is the run that was next at the last Decide.
	front *run
}

type namespace struct {
	queue *queue
	name  string
	// running counts its started runs, and accepted those in the line that have passed MaxPendingPerNamespace.
	running, accepted int
	share             uint64 // what its starts have cost
	lanes             map[laneKey]*lane
	// byAge and byPriority hold the lanes that are not held back.
	byAge, byPriority heap[*lane]
	head              *run // its first run at the last look

	shareIndex, priorityIndex int // in the heaps of the queue
}

type laneKey struct {
	priority    int32
	concurrency Concurrency
}

type lane struct {
	laneKey
	namespace *namespace
	group     *group // nil without a concurrency key
	held      bool   // whether its concurrency key was full at the last look
	runs      heap[*run]
	head      *run // as in a namespace

	ageIndex, priorityIndex int // in the heaps of the namespace
}

func newQueue(name string) *queue {
	q := &queue{Queue: Queue{Name: name}, namespaces: map[string]*namespace{}}
	index := func(r *run) *int { return &r.queueIndex }
	q.line = heap[*run]{less: (*run).before, index: index}
	q.later = heap[*run]{
		less: func(a, b *run) bool {
			if c := a.RunAfter.Compare(b.RunAfter); c != 0 {
				return c < 0
			}
			return a.before(b)
		},
		index: index,
	}
	q.byShare = heap[*namespace]{
		less: func(a, b *namespace) bool {
			if a.share != b.share {
				return a.share < b.share
			}
			return a.first().before(b.first())
		},
		index: func(n *namespace) *int { return &n.shareIndex },
	}
	q.byPriority = heap[*namespace]{
		less: func(a, b *namespace) bool {
			if a, b := a.priority(), b.priority(); a != b {
				return a > b
			}
			return a.name < b.name
		},
		index: func(n *namespace) *int { return &n.priorityIndex },
	}
	return q
}

// namespace returns the namespace of this name. Now and then it forgets the idle ones. They lose what they are ahead, which is a start or
// two.
func (q *queue) namespace(name string) *namespace {
	if n := q.namespaces[name]; n != nil {
		return n
	}
	if len(q.namespaces) >= q.pruneAt {
		for name, n := range q.namespaces {
			if n.running == 0 && n.accepted == 0 && len(n.lanes) == 0 {
				delete(q.namespaces, name)
			}
		}
		q.pruneAt = 2*len(q.namespaces) + 16
	}
	n := &namespace{queue: q, name: name, lanes: map[laneKey]*lane{}}
	n.byAge = heap[*lane]{
		less:  func(a, b *lane) bool { return q.older(a, b) },
		index: func(l *lane) *int { return &l.ageIndex },
	}
	n.byPriority = heap[*lane]{
		less:  func(a, b *lane) bool { return a.priority > b.priority },
		index: func(l *lane) *int { return &l.priorityIndex },
	}
	q.namespaces[name] = n
	return n
}

// aging is the interval in seconds. Creation times are no finer, and 32 bits hold it, so no product here exceeds 64 bits.
func (q *queue) aging() int64 {
	return min(int64(q.AgingInterval/time.Second), math.MaxInt32)
}

// older says whether a's first run goes before b's. Both grow older at the same pace, so the answer never changes, and nothing has to be
// sorted again as time passes: one step of priority counts as much as one interval of age.
func (q *queue) older(a, b *lane) bool {
	x, y := a.runs.first(), b.runs.first()
	if interval := q.aging(); interval > 0 {
		if x, y := x.since-int64(a.priority)*interval, y.since-int64(b.priority)*interval; x != y {
			return x < y
		}
	} else if a.priority != b.priority {
		return a.priority > b.priority
	}
	return x.before(y)
}

// open says whether the queue could start a run now, apart from its rate.
func (q *queue) open() bool { return q.known && !q.Suspended && !q.full() }

func (q *queue) full() bool { return q.MaxRunning > 0 && q.running >= q.MaxRunning }

// next returns the namespace whose first run is next, or nil. Nearly always that is the one with the least share. Only while priorities
// differ between namespaces does it look at all of them.
func (q *queue) next(now int64) *namespace {
	best := q.byShare.first()
	if best == nil {
		return nil
	}
	// The namespace of the highest priority always reaches top: the level of its first run is at least that.
	top := int64(q.byPriority.first().priority())
	if best.level(now) >= top {
		return best
	}
	best = nil
	for _, n := range q.byShare.items {
		if n.level(now) >= top && (best == nil || q.byShare.less(n, best)) {
			best = n
		}
	}
	return best
}

// charge makes n pay for a start: startCost, divided by its weight. A namespace that is ahead because of its priority counts as ahead by
// one start at most, so that it does not pay for long.
func (q *queue) charge(n *namespace) {
	cost := uint64(max(startCost/max(q.Weights[n.name], 1), 1))
	q.share = max(q.share, q.byShare.first().share)
	n.share = min(n.share, q.share+cost) + cost
	n.update()
}

// every is the time in which one token of the rate comes back; 0 is no limit.
func (q *queue) every() time.Duration {
	if q.Rate.Starts < 1 {
		return 0
	}
	n := time.Duration(q.Rate.Starts)
	return (q.Rate.Per + n - 1) / n
}

// rateAllows is when the rate allows the next start.
func (q *queue) rateAllows() time.Time {
	return q.spent.Add(-time.Duration(max(q.Rate.Burst, 1)-1) * q.every())
}

// takes says whether the namespace may use the queue.
func (q *queue) takes(namespace string) bool {
	return len(q.Namespaces) == 0 || q.Namespaces[namespace]
}

// whereWaits is the queue in which the run waits: q itself, or the one for runs that q forbids.
func (q *queue) whereWaits(r *run) *queue {
	if q.takes(r.Namespace) {
		return q
	}
	if q.forbidden == nil {
		q.forbidden = newQueue(q.Name)
		q.forbidden.forbids = true
	}
	return q.forbidden
}

// waiting returns the runs that wait in the queue, forbidden or not, in the order of their arrival.
func (q *queue) waiting() []*run {
	waiting := slices.Concat(q.line.items, q.later.items)
	if q.forbidden != nil {
		waiting = slices.Concat(waiting, q.forbidden.line.items, q.forbidden.later.items)
	}
	slices.SortFunc(waiting, arrival)
	return waiting
}

// noteMissing notes when runs began to wait for a queue that does not exist.
func (q *queue) noteMissing(now time.Time) {
	switch {
	case q.known || q.forbids || q.line.len()+q.later.len() == 0:
		q.missingSince = time.Time{}
	case q.missingSince.IsZero():
		q.missingSince = now
	}
}

// isEmpty says whether the queue holds no run.
func (q *queue) isEmpty() bool { return q.running+q.line.len()+q.later.len() == 0 }

// nextVisit is when time alone changes something: the RunAfter of a run comes, or the rate allows a start that nothing else holds back.
// Zero is never.
func (q *queue) nextVisit() time.Time {
	var at time.Time
	if r := q.later.first(); r != nil {
		at = r.RunAfter
	}
	if allowed := q.rateAllows(); q.open() && q.byShare.len() > 0 && (at.IsZero() || allowed.Before(at)) {
		at = allowed
	}
	return at
}

func (q *queue) spend(now time.Time) { q.spent = latest(q.spent, now).Add(q.every()) }

func (n *namespace) full() bool {
	limit := n.queue.MaxRunningPerNamespace
	return limit > 0 && n.running >= limit
}

// first returns the run of the namespace that is next, or nil.
func (n *namespace) first() *run {
	if l := n.byAge.first(); l != nil {
		return l.runs.first()
	}
	return nil
}

// priority is the highest priority of a run that could start.
func (n *namespace) priority() int32 { return n.byPriority.first().priority }

// level is the priority of the first run, plus what it has gained by waiting.
func (n *namespace) level(now int64) int64 {
	l := n.byAge.first()
	if interval := n.queue.aging(); interval > 0 {
		return int64(l.priority) + (now-l.runs.first().since)/interval
	}
	return int64(l.priority)
}

// update moves the namespace to its right place after a change. A namespace that could not start anything has saved up nothing: it joins at
// the share of the others.
func (n *namespace) update() {
	q := n.queue
	ready := n.byAge.len() > 0 && !n.full()
	if ready && n.shareIndex == 0 {
		n.share = max(n.share, q.share)
	}
	q.byShare.keep(n, ready)
	q.byPriority.keep(n, ready)
}

// lane returns the lane of this key, and makes it if there is none.
func (n *namespace) lane(key laneKey, g *group) *lane {
	l := n.lanes[key]
	if l == nil {
		l = &lane{laneKey: key, namespace: n, group: g}
		l.runs = heap[*run]{less: (*run).before, index: func(r *run) *int { return &r.laneIndex }}
		n.lanes[key] = l
		if g != nil {
			g.lanes = append(g.lanes, l)
		}
	}
	return l
}

// full says whether the lane's concurrency key is in use by as many runs as it allows.
func (l *lane) full() bool { return l.group != nil && len(l.group.running) >= l.limit() }

func (l *lane) limit() int { return max(l.concurrency.Limit, 1) }
