package admission

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// at is a time in seconds from the epoch.
func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

// waiting is a run of queue q that is written as namespace/name and created at the epoch; its name is also its UID.
func waiting(name string, options ...func(*Run)) Run {
	namespace, name, _ := strings.Cut(name, "/")
	r := Run{Key: Key{Namespace: namespace, Name: name, UID: types.UID(name)}, Queue: "q", Created: epoch}
	for _, option := range options {
		option(&r)
	}
	return r
}

func created(seconds int) func(*Run)  { return func(r *Run) { r.Created = at(seconds) } }
func runAfter(seconds int) func(*Run) { return func(r *Run) { r.RunAfter = at(seconds) } }
func running(r *Run)                  { r.State = Running }
func accepted(r *Run)                 { r.Accepted = true }

func endedAt(seconds int) func(*Run) {
	return func(r *Run) { r.State, r.Ended = Ended, at(seconds) }
}

func priority(p int32) func(*Run) { return func(r *Run) { r.Priority = &p } }

func concurrency(limit int, policy Policy) func(*Run) {
	return func(r *Run) { r.Concurrency = Concurrency{Key: "k", Limit: limit, Policy: policy} }
}

func unique(window time.Duration, onConflict OnConflict) func(*Run) {
	return func(r *Run) { r.Unique = Unique{Key: "u", Window: window, OnConflict: onConflict} }
}

// decided writes decisions down: "Start x", "Finish x: Replaced y".
func decided(plan Plan) []string {
	var lines []string
	for _, d := range plan.Decisions {
		line := fmt.Sprintf("%s %s", d.Action, d.Run.Name)
		if d.Cause != "" {
			line = strings.TrimSpace(fmt.Sprintf("%s: %s %s", line, d.Cause, d.By.Name))
		}
		lines = append(lines, line)
	}
	return lines
}

func TestEachRuleDecidesAsItSays(t *testing.T) {
	for name, c := range map[string]struct {
		queue Queue
		runs  []Run
		now   int
		want  []string
		why   map[types.UID]Reason
		next  time.Time
	}{
		"no more start than the queue allows": {
			queue: Queue{MaxRunning: 2},
			runs:  []Run{waiting("a/1", running), waiting("a/2"), waiting("a/3"), waiting("a/4")},
			want:  []string{"Start 2"},
			why:   map[types.UID]Reason{"3": QueueLimit, "4": Behind},
		},
		"no more start in a namespace than it allows, and others go on": {
			queue: Queue{MaxRunningPerNamespace: 1},
			runs:  []Run{waiting("a/1"), waiting("a/2"), waiting("a/3"), waiting("b/4")},
			want:  []string{"Start 1", "Start 4"},
			why:   map[types.UID]Reason{"2": NamespaceLimit, "3": Behind},
		},
		"a queue without a limit starts all": {
			runs: []Run{waiting("a/1"), waiting("a/2")},
			want: []string{"Start 1", "Start 2"},
		},
		"nothing starts in a suspended queue": {
			queue: Queue{Suspended: true},
			runs:  []Run{waiting("a/1")},
			why:   map[types.UID]Reason{"1": QueueSuspended},
		},
		"a run whose queue does not exist waits for it": {
			runs: []Run{waiting("a/1", func(r *Run) { r.Queue = "other" })},
			why:  map[types.UID]Reason{"1": QueueNotFound},
		},
		"a run of a namespace that may not use the queue waits, and holds back nobody": {
			queue: Queue{MaxRunning: 1, MaxPending: 1, Namespaces: map[string]bool{"b": true}},
			runs: []Run{
				waiting("a/1", priority(9)), waiting("a/2"), waiting("a/3", runAfter(60)), waiting("b/4", created(1)), waiting("b/5", created(2)),
			},
			now:  2,
			want: []string{"Start 4"},
			why:  map[types.UID]Reason{"1": QueueForbidden, "2": QueueForbidden, "3": QueueForbidden, "5": QueueLimit},
			next: at(60),
		},
		"a rate spreads the starts, and says when the next is due": {
			queue: Queue{Rate: Rate{Starts: 1, Per: 10 * time.Second, Burst: 2}},
			runs:  []Run{waiting("a/1"), waiting("a/2"), waiting("a/3")},
			want:  []string{"Start 1", "Start 2"},
			why:   map[types.UID]Reason{"3": RateLimited},
			next:  at(10),
		},
		"a run waits for its time, and holds back nobody": {
			queue: Queue{MaxRunning: 1},
			runs:  []Run{waiting("a/1", runAfter(60), priority(9)), waiting("a/2")},
			want:  []string{"Start 2"},
			why:   map[types.UID]Reason{"1": NotBefore},
			next:  at(60),
		},
		"one more than may wait is refused, the last one": {
			queue: Queue{MaxRunning: 1, MaxPending: 2},
			runs:  []Run{waiting("a/4", created(3)), waiting("a/1"), waiting("a/2", created(1)), waiting("a/3", created(2))},
			now:   3,
			want:  []string{"Start 1", "Finish 4: QueueFull"},
		},
		"a run that was told that it waits is not refused any more": {
			queue: Queue{MaxRunning: 1, MaxPending: 1},
			runs:  []Run{waiting("a/1", running), waiting("a/2", accepted), waiting("a/3", accepted)},
		},
		"one more of a namespace than may wait is refused, and others may wait": {
			queue: Queue{MaxRunning: 1, MaxPending: 9, MaxPendingPerNamespace: 1},
			runs:  []Run{waiting("a/1"), waiting("a/2"), waiting("a/3", created(1)), waiting("b/4", created(2))},
			now:   2,
			want:  []string{"Start 1", "Finish 3: NamespaceFull"},
		},
		"a run whose time has not come takes the place of nobody who waits": {
			queue: Queue{MaxRunning: 1, MaxPending: 1},
			runs:  []Run{waiting("a/1", running), waiting("a/2", runAfter(60)), waiting("a/3")},
			why:   map[types.UID]Reason{"2": NotBefore, "3": QueueLimit},
			next:  at(60),
		},
		"a run whose time comes while the queue is full is refused": {
			queue: Queue{MaxRunning: 1, MaxPending: 1},
			runs:  []Run{waiting("a/1", running), waiting("a/2", runAfter(60)), waiting("a/3", accepted)},
			now:   60,
			want:  []string{"Finish 2: QueueFull"},
		},
		"a priority above the queue's greatest counts as that": {
			queue: Queue{MaxRunning: 1, MaxPriority: new(int32(5))},
			runs:  []Run{waiting("a/1", priority(5)), waiting("b/2", created(1), priority(1_000_000))},
			now:   1,
			want:  []string{"Start 1"},
		},
		"a low priority counts as it is": {
			queue: Queue{MaxRunning: 1, MaxPriority: new(int32(0))},
			runs:  []Run{waiting("a/1", priority(-2)), waiting("b/2", created(1), priority(-1))},
			now:   1,
			want:  []string{"Start 2"},
		},
		"higher priority goes first": {
			queue: Queue{MaxRunning: 1},
			runs:  []Run{waiting("a/1"), waiting("b/2", priority(1))},
			want:  []string{"Start 2"},
		},
		"a run without a priority has its queue's": {
			queue: Queue{MaxRunning: 1, DefaultPriority: 2},
			runs:  []Run{waiting("a/1", priority(1)), waiting("b/2", created(1))},
			now:   1,
			want:  []string{"Start 2"},
		},
		"the first comes first, also within a second": {
			queue: Queue{MaxRunning: 2},
			runs: []Run{
				waiting("a/1", func(r *Run) { r.Order = 7 }), waiting("a/2", func(r *Run) { r.Order = 5 }),
				waiting("a/3", func(r *Run) { r.Order = 6 }),
			},
			want: []string{"Start 2", "Start 3"},
		},
		"waiting is worth priority within a namespace": {
			queue: Queue{MaxRunning: 1, AgingInterval: 10 * time.Second},
			runs:  []Run{waiting("a/1"), waiting("a/2", created(11), priority(1))},
			now:   11,
			want:  []string{"Start 1"},
		},
		"waiting less than an interval for each step is not": {
			queue: Queue{MaxRunning: 1, AgingInterval: 10 * time.Second},
			runs:  []Run{waiting("a/1"), waiting("a/2", created(9), priority(1))},
			now:   9,
			want:  []string{"Start 2"},
		},
		"waiting is worth priority between namespaces": {
			queue: Queue{MaxRunning: 1, AgingInterval: 10 * time.Second},
			runs:  []Run{waiting("a/1"), waiting("b/2", created(10), priority(1))},
			now:   10,
			want:  []string{"Start 1"},
		},
		"a run that was created in the future by another clock does not block its queue": {
			queue: Queue{MaxRunning: 1, AgingInterval: time.Second},
			runs:  []Run{waiting("a/1", created(100), priority(1)), waiting("b/2")},
			now:   0,
			want:  []string{"Start 1"},
		},
		"no more start with a key than it allows, and others go on": {
			runs: []Run{
				waiting("a/1", concurrency(1, Wait)), waiting("a/2", concurrency(1, Wait)),
				waiting("a/3", concurrency(1, Wait)), waiting("a/4", created(1)), waiting("b/5", created(1), concurrency(1, Wait)),
			},
			now:  1,
			want: []string{"Start 1", "Start 5", "Start 4"},
			why:  map[types.UID]Reason{"2": ConcurrencyLimit, "3": Behind},
		},
		"a key may allow several": {
			runs: []Run{waiting("a/1", concurrency(2, Wait)), waiting("a/2", concurrency(2, Wait)), waiting("a/3", concurrency(2, Wait))},
			want: []string{"Start 1", "Start 2"},
		},
		"one more than the key allows is refused": {
			runs: []Run{waiting("a/1", running, concurrency(1, Refuse)), waiting("a/2", concurrency(1, Refuse))},
			want: []string{"Finish 2: Refused 1"},
		},
		"the last one replaces those that wait": {
			runs: []Run{
				waiting("a/1", running, concurrency(1, ReplaceWaiting)), waiting("a/2", concurrency(1, ReplaceWaiting)),
				waiting("a/3", concurrency(1, ReplaceWaiting)),
			},
			want: []string{"Finish 2: Replaced 3"},
			why:  map[types.UID]Reason{"3": ConcurrencyLimit},
		},
		"a later one is not replaced": {
			runs: []Run{
				waiting("a/1", running, concurrency(1, Wait)), waiting("a/2", concurrency(1, ReplaceWaiting)),
				waiting("a/3", created(1), concurrency(1, Wait)),
			},
			now: 1,
		},
		"nothing is replaced while the key is free": {
			queue: Queue{MaxRunning: 1},
			runs: []Run{
				waiting("b/1", running), waiting("a/2", concurrency(1, ReplaceWaiting)),
				waiting("a/3", concurrency(1, ReplaceWaiting)),
			},
		},
		"the last one replaces those that run, the oldest first": {
			runs: []Run{
				waiting("a/1", running, concurrency(2, Wait)), waiting("a/2", running, created(1), concurrency(2, Wait)),
				waiting("a/3", created(2), concurrency(2, ReplaceRunning)),
			},
			now:  2,
			want: []string{"Cancel 1: Replaced 3"},
			why:  map[types.UID]Reason{"3": ConcurrencyLimit},
		},
		"an earlier one does not replace a later one that runs": {
			runs: []Run{waiting("a/1", concurrency(1, ReplaceRunning)), waiting("a/2", running, created(1), concurrency(1, Wait))},
			now:  1,
		},
		"nobody is cancelled for a run that is suspended itself": {
			queue: Queue{Suspended: true},
			runs:  []Run{waiting("a/1", running, concurrency(1, Wait)), waiting("a/2", concurrency(1, ReplaceRunning))},
			why:   map[types.UID]Reason{"2": QueueSuspended},
		},
		"a duplicate ends while the first one runs": {
			runs: []Run{waiting("a/1", running, unique(0, KeepFirst)), waiting("a/2", unique(0, KeepFirst))},
			want: []string{"Finish 2: Duplicate 1"},
		},
		"a duplicate ends while the first one waits, even for its time": {
			runs: []Run{waiting("a/1", runAfter(9), unique(0, KeepFirst)), waiting("a/2", runAfter(9), unique(0, KeepFirst))},
			want: []string{"Finish 2: Duplicate 1"},
			why:  map[types.UID]Reason{"1": NotBefore},
			next: at(9),
		},
		"a duplicate ends within the window": {
			runs: []Run{waiting("a/1", endedAt(5), unique(time.Minute, KeepFirst)), waiting("a/2", created(64), unique(0, KeepFirst))},
			now:  99,
			want: []string{"Finish 2: Duplicate 1"},
		},
		"after the window it is no duplicate": {
			runs: []Run{waiting("a/1", endedAt(5), unique(time.Minute, KeepFirst)), waiting("a/2", created(65), unique(0, KeepFirst))},
			now:  65,
			want: []string{"Start 2"},
		},
		"in another namespace it is no duplicate": {
			runs: []Run{waiting("a/1", running, unique(0, KeepFirst)), waiting("b/2", unique(0, KeepFirst))},
			want: []string{"Start 2"},
		},
		"the later of two is kept": {
			runs: []Run{waiting("a/1", unique(0, KeepLast)), waiting("a/2", unique(0, KeepLast))},
			want: []string{"Finish 1: Duplicate 2", "Start 2"},
		},
		"the later one is kept, and the one that runs is cancelled": {
			runs: []Run{waiting("a/1", running, unique(0, KeepLast)), waiting("a/2", unique(0, KeepLast))},
			want: []string{"Cancel 1: Duplicate 2", "Start 2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := New()
			c.queue.Name = "q"
			e.SetQueue(c.queue)
			for _, r := range c.runs {
				e.SetRun(r)
			}
			plan := e.Decide(at(c.now))
			if got := decided(plan); !slices.Equal(got, c.want) {
				t.Errorf("it decides %q, want %q", got, c.want)
			}
			for uid, want := range c.why {
				if why, _ := e.Why(uid); why.Reason != want {
					t.Errorf("%s waits for %q, want %q", uid, why.Reason, want)
				}
			}
			if !plan.Next.Equal(c.next) {
				t.Errorf("it is to decide again at %v, want %v", plan.Next, c.next)
			}
			if again := e.Decide(at(c.now)); len(again.Decisions)+len(again.Changed) > 0 {
				t.Errorf("at the same time it decides again %v", again)
			}
		})
	}
}
