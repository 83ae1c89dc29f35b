package admission

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// model is the engine's specification as plain code: it has no index, remembers nothing that it can count, and looks at every
// run for every decision.
type model struct {
	now    time.Time
	queues map[string]Queue
	runs   map[types.UID]*modelRun
	shares map[[2]string]uint64 // by queue and namespace
	clock  map[string]uint64    // by queue: the least share among those that could start
	spent  map[string]time.Time
}

type modelRun struct {
	Run
	started, dropped, accepted, judged, cancelled bool
}

func newModel() *model {
	return &model{
		queues: map[string]Queue{}, runs: map[types.UID]*modelRun{},
		shares: map[[2]string]uint64{}, clock: map[string]uint64{}, spent: map[string]time.Time{},
	}
}

func (m *model) setQueue(q Queue) {
	if m.queues[q.Name].Rate != q.Rate {
		delete(m.spent, q.Name)
	}
	m.queues[q.Name] = q
}

func (m *model) removeQueue(name string) {
	delete(m.queues, name)
	delete(m.spent, name)
}

func (m *model) forgetShares(queue string) {
	delete(m.clock, queue)
	for key := range m.shares {
		if key[0] == queue {
			delete(m.shares, key)
		}
	}
}

func (m *model) setRun(seen Run) {
	r := m.runs[seen.UID]
	if r == nil {
		r = &modelRun{}
		m.runs[seen.UID] = r
	}
	seen.State = max(seen.State, r.State)
	r.Run = seen
	r.started = r.started && r.State != Ended || r.State == Running
	r.dropped = r.dropped && r.State == Waiting
	r.accepted = r.accepted || seen.Accepted
	r.judged = r.judged || seen.Told || seen.Accepted
}

func (r *modelRun) waits() bool { return r.State == Waiting && !r.started && !r.dropped }

func (r *modelRun) since() int64 { return latest(r.Created, r.RunAfter).Unix() }

func (r *modelRun) before(other *modelRun) bool {
	return cmp.Or(cmp.Compare(r.since(), other.since()), cmp.Compare(r.Order, other.Order)) < 0
}

// all returns the runs for which a condition is true, in the order of their arrival.
func (m *model) all(condition func(*modelRun) bool) []*modelRun {
	var found []*modelRun
	for _, r := range m.runs {
		if condition(r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *modelRun) int {
		return cmp.Or(cmp.Compare(a.since(), b.since()), cmp.Compare(a.Order, b.Order))
	})
	return found
}

func (m *model) priority(r *modelRun) int64 {
	priority := m.queues[r.Queue].DefaultPriority
	if r.Priority != nil {
		priority = *r.Priority
	}
	if most := m.queues[r.Queue].MaxPriority; most != nil && priority > *most {
		priority = *most
	}
	return int64(priority)
}

// level is the priority with what waiting has added to it, and age the same without rounding, for one namespace.
func (m *model) level(r *modelRun) int64 {
	if interval := int64(m.queues[r.Queue].AgingInterval / time.Second); interval > 0 {
		return m.priority(r) + (m.now.Unix()-r.since())/interval
	}
	return m.priority(r)
}

func (m *model) ages(r *modelRun) float64 {
	if interval := int64(m.queues[r.Queue].AgingInterval / time.Second); interval > 0 {
		return float64(m.priority(r)*interval + m.now.Unix() - r.since())
	}
	return float64(m.priority(r))
}

func (m *model) holders(r *modelRun) []*modelRun {
	return m.all(func(o *modelRun) bool {
		return o.started && r.Concurrency.Key != "" && o.Namespace == r.Namespace && o.Concurrency.Key == r.Concurrency.Key
	})
}

func (m *model) keyFull(r *modelRun) bool {
	return r.Concurrency.Key != "" && len(m.holders(r)) >= r.Concurrency.Limit
}

func (m *model) running(queue, namespace string) int {
	return len(m.all(func(r *modelRun) bool {
		return r.started && r.Queue == queue && (namespace == "" || r.Namespace == namespace)
	}))
}

func (m *model) namespaceFull(r *modelRun) bool {
	limit := m.queues[r.Queue].MaxRunningPerNamespace
	return limit > 0 && m.running(r.Queue, r.Namespace) >= limit
}

func (m *model) queueFull(name string) bool {
	limit := m.queues[name].MaxRunning
	return limit > 0 && m.running(name, "") >= limit
}

func (m *model) queued(r *modelRun) bool {
	return r.waits() && !r.RunAfter.After(m.now)
}

// takes says whether the run's queue exists and takes runs of its namespace.
func (m *model) takes(r *modelRun) bool {
	q, known := m.queues[r.Queue]
	return known && !m.forbids(r) && q.Name != ""
}

func (m *model) forbids(r *modelRun) bool {
	allowed := m.queues[r.Queue].Namespaces
	return len(allowed) > 0 && !allowed[r.Namespace]
}

// eligible are the runs that only their queue holds back.
func (m *model) eligible(queue string) []*modelRun {
	return m.all(func(r *modelRun) bool {
		return r.Queue == queue && m.queued(r) && !m.forbids(r) && !m.keyFull(r) && !m.namespaceFull(r)
	})
}

// best returns the next one of these runs, which are all of one namespace.
func (m *model) best(runs []*modelRun) *modelRun {
	return slices.MinFunc(runs, func(a, b *modelRun) int {
		if c := cmp.Compare(m.ages(b), m.ages(a)); c != 0 {
			return c
		}
		return map[bool]int{true: -1, false: 1}[a.before(b)]
	})
}

// next returns the run that the queue would start next, and brings the shares up to date.
func (m *model) next(queue string) *modelRun {
	byNamespace := map[string][]*modelRun{}
	top := int64(-1 << 40)
	for _, r := range m.eligible(queue) {
		byNamespace[r.Namespace] = append(byNamespace[r.Namespace], r)
		top = max(top, m.priority(r))
	}
	var next *modelRun
	for namespace, runs := range byNamespace {
		key := [2]string{queue, namespace}
		m.shares[key] = max(m.shares[key], m.clock[queue])
		first := m.best(runs)
		if m.level(first) < top {
			continue
		}
		if next == nil {
			next = first
			continue
		}
		a, b := m.shares[key], m.shares[[2]string{queue, next.Namespace}]
		if a < b || a == b && first.before(next) {
			next = first
		}
	}
	return next
}

func (m *model) charge(r *modelRun) {
	least := uint64(1 << 63)
	for _, other := range m.eligible(r.Queue) {
		least = min(least, m.shares[[2]string{r.Queue, other.Namespace}])
	}
	m.clock[r.Queue] = max(m.clock[r.Queue], least)
	key := [2]string{r.Queue, r.Namespace}
	cost := uint64(startCost / max(1, m.queues[r.Queue].Weights[r.Namespace]))
	m.shares[key] = min(m.shares[key], m.clock[r.Queue]+cost) + cost
}

func (m *model) every(q Queue) time.Duration {
	if q.Rate.Starts == 0 {
		return 0
	}
	return q.Rate.Per / time.Duration(q.Rate.Starts)
}

func (m *model) rateAllows(q Queue) time.Time {
	return m.spent[q.Name].Add(-time.Duration(max(q.Rate.Burst, 1)-1) * m.every(q))
}

// reason is why a run waits once all has been decided.
func (m *model) reason(r *modelRun) Reason {
	q, known := m.queues[r.Queue]
	first := func(alike func(*modelRun) bool) bool {
		return r == m.best(m.all(func(o *modelRun) bool {
			return m.queued(o) && o.Queue == r.Queue && o.Namespace == r.Namespace && alike(o)
		}))
	}
	sameLane := func(o *modelRun) bool {
		return m.priority(o) == m.priority(r) && o.Concurrency == r.Concurrency
	}
	switch {
	case m.forbids(r):
		return QueueForbidden
	case !known:
		return QueueNotFound
	case !m.queued(r):
		return NotBefore
	case q.Suspended:
		return QueueSuspended
	case m.keyFull(r) && first(sameLane):
		return ConcurrencyLimit
	case m.keyFull(r) || !first(func(o *modelRun) bool { return !m.keyFull(o) }):
		return Behind
	case m.namespaceFull(r):
		return NamespaceLimit
	case r != m.next(r.Queue):
		return Behind
	case m.queueFull(r.Queue):
		return QueueLimit
	}
	return RateLimited
}
