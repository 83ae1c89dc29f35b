// Package admission decides which waiting runs start next. It is pure: state, events and time go in, decisions come out.
//
// The caller reports queues and runs with SetQueue, RemoveQueue, SetRun and RemoveRun as it sees them, in any order and as
// often as it likes, then calls Decide, and does what the Plan says in its order. It calls Decide again after the next
// report, and at Plan.Next at the latest. It tries again what fails: a decision stands.
//
// # Order
//
// Among the runs of a queue that nothing but the queue holds back, these decide, in this order:
//
//  1. Priority, up to the queue's MaxPriority. It grows by 1 for each aging interval that the run waits, up to the highest
//     priority that anybody who could start has by itself: aging lets a run catch up, and never overtake, those of another
//     namespace. So higher priorities hold a run back for at most (MaxPriority − its own) intervals, and an old backlog does
//     not shut out the other namespaces.
//  2. Fair share. The namespace that has had the fewest starts for its weight is next. Nobody saves up credit while idle or
//     held back, and starts that were won by priority cost a start or two later on, however many they were.
//  3. First come, first served: by the second of creation (or runAfter, if that is later), then by the order of the first
//     report, then by UID. Within a namespace one step of priority is worth one aging interval of waiting.
//
// A run that is held back by anything else (its namespace's limit, its concurrency key, runAfter) holds back nobody behind it.
//
// # What a decision costs
//
// Decide visits the queues that a report or a time has touched since the last one, and no others. A queue that does not exist
// is forgotten once nobody is in it. So neither many queues nor many names of queues make the decisions about others slow.
//
// # What is running
//
// A start counts from the moment it is decided until the run is reported as ended or is removed. A report that a started run
// is waiting is older than the decision, and changes nothing. So a cache that lags behind can delay a start, and can never
// admit one too many.
//
// # After a restart
//
// An engine that is told all queues and runs before its first Decide decides like the one before it. Only two things start
// afresh: who has had how much of the fair share, which is a start or two, and the token bucket
// of a rate limit, which is full. A run whose start was decided but is not yet visible must be reported as running by
// whoever can see it: the engine cannot know.
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
	// MaxPending and MaxPendingPerNamespace are how many may wait; 0 is no limit. One more ends as QueueFull or NamespaceFull,
	// but never while it could start. A run whose time has not come does not count, and is looked at when it comes.
	MaxPending, MaxPendingPerNamespace int
	// Rate limits the starts.
	Rate Rate
	// DefaultPriority is the priority of the runs that have none of their own.
	DefaultPriority int32
	// MaxPriority is what a higher priority counts as; nil is no bound.
	MaxPriority *int32
	// AgingInterval is how long a run waits for one step of priority, in whole seconds; less than one is no aging.
	AgingInterval time.Duration
	// Namespaces are those that may use the queue; none means all. The runs of others wait, and count for nothing in it.
	Namespaces map[string]bool
	// Weights are the shares of the namespaces. One that is not listed, or less than 1, has 1.
	Weights map[string]int
}

// Rate allows Starts in each Per, evenly spread, but for Burst of them (at least 1) that may come at once after a quiet
// time. The zero value is no limit.
type Rate struct {
	Starts int
	Per    time.Duration
	Burst  int
}

// Key identifies a run, and is its name for people.
type Key struct {
	Namespace, Name string
	UID             types.UID
}

// State is where a run is. It never goes back.
type State int

// The states of a run. One that ended without having started is not Ended but removed: nothing is a duplicate of it.
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
	// Order decides between runs of the same second, for instance their resourceVersion. The first one reported holds; 0 is
	// the order of the first reports.
	Order uint64
	// RunAfter is when the run joins the queue; zero is at once.
	RunAfter    time.Time
	Concurrency Concurrency
	Unique      Unique
	State       State
	// Told says that the run was told why it waits: its unique key has been judged. Accepted says that this was not its time:
	// it does not end as QueueFull any more.
	Told, Accepted bool
	// Ended is when a run in state Ended did so.
	Ended time.Time
}

// Policy is what happens to one more run than a concurrency key allows.
type Policy int

// The policies. They act while as many runs of the key are running as the run's own limit says.
const (
	// Wait keeps it waiting.
	Wait Policy = iota
	// Refuse ends it.
	Refuse
	// ReplaceWaiting ends the runs of the key that came before it and wait.
	ReplaceWaiting
	// ReplaceRunning also cancels as many of those that run as it takes to make room, unless its queue is suspended.
	ReplaceRunning
)

// Concurrency says how many runs of a namespace that share a key may run at once, in whichever queues. No key is no limit.
type Concurrency struct {
	Key    string
	Limit  int
	Policy Policy
}

// OnConflict is what happens when a run has the unique key of an earlier one.
type OnConflict int

// The ways out of a conflict.
const (
	// KeepFirst ends the new run.
	KeepFirst OnConflict = iota
	// KeepLast ends the earlier one if it waits, and cancels it if it runs.
	KeepLast
)

// Unique says that a namespace has one run with this key at a time, and for Window after its end. No key is no such rule.
type Unique struct {
	Key        string
	Window     time.Duration
	OnConflict OnConflict
}

// Plan is what to do now.
type Plan struct {
	// Decisions are to be carried out in this order.
	Decisions []Decision
	// Changed are the waiting runs that have another Reason than at the last Decide, or their first.
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

// Decision is one thing to do. A start counts as running, and what is finished as gone, from now on.
type Decision struct {
	Action Action
	Run    Key
	// Cause is why; empty for a start.
	Cause Cause
	// By is the other run, where there is one: the one that holds the key, has come first, or takes the place.
	By Key
}

// Reason is why a run waits. The first that applies is the one.
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
	// InUse and Limit are of the limit that holds the run back.
	InUse, Limit int
	// Holders are the first of the InUse runs that hold its concurrency key: at most MostHolders.
	Holders []Key
	// Until is when time alone lets the run go.
	Until time.Time
	// MissingSince is since when the queue is known not to exist while runs wait in it.
	MissingSince time.Time
}

// QueueStatus is a queue at a glance.
type QueueStatus struct {
	Known, Suspended bool
	// Running counts the starts that are not visible yet, too. Delayed are the runs whose time has not come; they are not among
	// those that are Waiting.
	Running, Waiting, Delayed int
	// Oldest is the creation of the run that has waited longest; zero if none does.
	Oldest time.Time
}
