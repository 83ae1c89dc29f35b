// Package admission decides which waiting runs start next. It is pure: state, events and time go in, decisions come out. See
// docs/decisions/admission.md.
//
// The caller reports queues and runs with SetQueue, RemoveQueue, SetRun and RemoveRun as it sees them, in any order and as
// often as it likes. Then it calls Decide, and carries out the Plan in its order. It calls Decide again after the next report,
// and at Plan.Next at the latest. A decision stands: if carrying it out fails, the caller tries again.
//
// # Order
//
// The runs of a queue that only the queue holds back start in this order:
//
//  1. Priority, up to the queue's MaxPriority. It grows by 1 for each aging interval that the run waits, up to the highest
//     priority of any run that could start. So aging lets a run catch up with the runs of another namespace, but never
//     overtake them. Higher priorities hold a run back for at most (MaxPriority − its own) intervals, and an old backlog
//     does not shut out the other namespaces.
//  2. Fair share. The namespace that has had the fewest starts for its weight is next. A namespace that is idle or held back
//     saves up no credit. Starts that were won by priority cost a start or two later on, however many they were.
//  3. First come, first served: by the second of creation (or runAfter, if that is later), then by the order of the first
//     report, then by UID. Within a namespace one step of priority is worth one aging interval of waiting.
//
// A run that is held back by anything else (its namespace's limit, its concurrency key, runAfter) holds back no run behind it.
//
// # What a decision costs
//
// Decide visits only the queues that a report or a time has touched since the last one. A queue that does not exist is
// forgotten with its last run. So decisions stay fast however many other queues, or names of queues, there are.
//
// # What is running
//
// A start counts from the moment it is decided until the run is reported as ended or is removed. A report that a started run
// is waiting is older than the decision, and changes nothing. So a cache that lags behind can delay a start, but never
// cause one too many.
//
// # After a restart
//
// An engine that gets reports of all queues and runs before its first Decide decides like the one before it. Only two things
// start afresh: the fair share of each namespace, which is a start or two, and the token bucket of a rate limit, which is full.
// The engine cannot know of a run whose start was decided but is not yet visible. The caller must find such runs and report
// them as running.
package admission

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Queue is the settings of a queue.
type Queue struct {
	Name string
	// Suspended stops starts. What runs goes on.
	Suspended bool
	// MaxRunning and MaxRunningPerNamespace are how many may run at once; 0 is no limit.
	MaxRunning, MaxRunningPerNamespace int
	// MaxPending and MaxPendingPerNamespace are how many may wait; 0 is no limit. One more ends as QueueFull or NamespaceFull, unless it
	// can start. A run whose RunAfter has not come does not count. It is looked at when that time comes.
	MaxPending, MaxPendingPerNamespace int
	// Rate limits the starts.
	Rate Rate
	// DefaultPriority is the priority of the runs that have none of their own.
	DefaultPriority int32
	// MaxPriority is the highest priority that counts: a higher one counts as this. nil is no bound.
	MaxPriority *int32
	// AgingInterval is how long a run waits for one step of priority, in whole seconds; less than one is no aging.
	AgingInterval time.Duration
	// Namespaces are those that may use the queue; none means all. The runs of other namespaces wait, and count for nothing in it.
	Namespaces map[string]bool
	// Weights are the shares of the namespaces. A namespace that is not listed, or whose weight is less than 1, has 1.
	Weights map[string]int
}

// Rate allows Starts in each Per, evenly spread. After a quiet time, Burst of them (at least 1) may come at once. The zero value is no
// limit.
type Rate struct {
	Starts int
	Per    time.Duration
	Burst  int
}

// Key identifies a run, and names it for people.
type Key struct {
	Namespace, Name string
	UID             types.UID
}

// State is where a run is. It never goes back.
type State int

// The states of a run. A run that ended without having started is removed, not Ended: no other run is a duplicate of it.
const (
	Waiting State = iota
	Running
	Ended
)

// Run is what the engine needs to know of a run.
type Run struct {
	Key
	Queue string
	// Priority may change while the run waits; nil is the queue's default.
	Priority *int32
	Created  time.Time
	// Order decides between runs of the same second, for instance their resourceVersion. The one of the first report holds; 0 stands for
	// the order of the first reports.
	Order uint64
	// RunAfter is when the run joins the queue; zero is at once.
	RunAfter    time.Time
	Concurrency Concurrency
	Unique      Unique
	State       State
	// Told says that the status already says why the run waits, so its unique key has been judged. Accepted says that its queue has let it
	// wait, so it does not end as QueueFull any more. See docs/decisions/admission.md.
	Told, Accepted bool
	// Ended is when a run in state Ended has ended.
	Ended time.Time
}

// Policy is what happens to a run whose concurrency key allows no more.
type Policy int

// The policies. They apply while as many runs of the key are running as the run's own limit allows.
const (
	// Wait keeps it waiting.
	Wait Policy = iota
	// Refuse ends it.
	Refuse
	// ReplaceWaiting ends the waiting runs of the key that came before it.
	ReplaceWaiting
	// ReplaceRunning also cancels as many running ones as it takes to make room, unless its queue is suspended.
	ReplaceRunning
)

// Concurrency says how many runs of a namespace that share a key may run at once, in all queues together. Without a key there is no limit.
type Concurrency struct {
	Key    string
	Limit  int
	Policy Policy
}

// OnConflict is what happens when a run has the unique key of an earlier run.
type OnConflict int

// The ways out of a conflict.
const (
	// KeepFirst ends the new run.
	KeepFirst OnConflict = iota
	// KeepLast ends the earlier one if it waits, and cancels it if it runs.
	KeepLast
)

// Unique allows a namespace one run with this key at a time, and none for Window after its end. Without a key there is no such rule.
type Unique struct {
	Key        string
	Window     time.Duration
	OnConflict OnConflict
}

// Plan is what to do now.
type Plan struct {
	// Decisions are to be carried out in this order.
	Decisions []Decision
	// Changed are the waiting runs whose Reason is new or has changed since the last Decide.
	Changed []Key
	// Queues are the names of the queues whose QueueStatus has changed.
	Queues []string
	// Next is when to decide again if nothing is reported before; zero is never.
	Next time.Time
}

// Action is what to do with a run.
type Action string

// The actions.
const (
	// Start starts a waiting run.
	Start Action = "Start"
	// Finish ends a run that has not started.
	Finish Action = "Finish"
	// Cancel stops a run that has started.
	Cancel Action = "Cancel"
)

// Cause says why a run is finished or cancelled.
type Cause string

// The causes.
const (
	QueueFull     Cause = "QueueFull"     // MaxPending runs wait already
	NamespaceFull Cause = "NamespaceFull" // MaxPendingPerNamespace runs of its namespace wait already
	Refused       Cause = "Refused"       // its concurrency key is in use
	Duplicate     Cause = "Duplicate"     // another run has its unique key
	Replaced      Cause = "Replaced"      // a later run took its place
)

// Decision is one thing to do. From now on, a start counts as running, and a finished run as gone.
type Decision struct {
	Action Action
	Run    Key
	// Cause is why; empty for a start.
	Cause Cause
	// By is the other run, if there is one: it holds the key, came first, or takes the place.
	By Key
}

// Reason is why a run waits. If several apply, it is the first in this list.
type Reason string

// The reasons.
const (
	QueueForbidden   Reason = "QueueForbidden" // its namespace may not use the queue
	QueueNotFound    Reason = "QueueNotFound"
	NotBefore        Reason = "NotBefore" // RunAfter
	QueueSuspended   Reason = "QueueSuspended"
	ConcurrencyLimit Reason = "ConcurrencyLimit" // the next one of its key
	NamespaceLimit   Reason = "NamespaceLimit"   // the next one of its namespace
	QueueLimit       Reason = "QueueLimit"       // the next one of the queue
	RateLimited      Reason = "RateLimited"      // the next one of the queue
	Behind           Reason = "Behind"           // others come first
)

// MostHolders is how many holders of a concurrency key an explanation names.
const MostHolders = 4

// Explanation is why a run waits, and what would let it go.
type Explanation struct {
	Reason Reason
	// InUse and Limit belong to the limit that holds the run back.
	InUse, Limit int
	// Holders are the first of the InUse runs that hold its concurrency key: at most MostHolders.
	Holders []Key
	// Until is when time alone lets the run start.
	Until time.Time
	// MissingSince is when runs began to wait for a queue that does not exist.
	MissingSince time.Time
}

// QueueStatus is a queue at a glance.
type QueueStatus struct {
	Known, Suspended bool
	// Running counts starts that are not visible yet, too. Delayed are the runs whose RunAfter has not come; Waiting does not count them.
	Running, Waiting, Delayed int
	// Oldest is the creation of the run that has waited longest; zero if none does.
	Oldest time.Time
}
