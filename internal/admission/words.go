package admission

import (
	"fmt"
	"slices"
	"strings"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// All words of the API about queues are in this file: why a run waits, and how it ends if its queue does not let it run.

// Pending is why a run waits, in words of the API.
type Pending struct {
	Reason, Message string
	// MissingSince is since when the run's TestQueue is known not to exist; zero if it exists.
	MissingSince time.Time
}

// Pending says why a run waits, and what would let it start. known is false while the engine has not decided about it. All reasons that
// change as the queue moves on are one reason of the API, so that the status is not written for each change.
func (why Explanation) Pending(run Run, known bool) Pending {
	if !known {
		return pending(v1alpha1.ReasonQueued, "Waits in queue %s", run.Queue)
	}
	switch why.Reason {
	case QueueForbidden:
		return pending(v1alpha1.ReasonQueueForbidden,
			"TestQueue %s does not take runs of namespace %s: whoever looks after it can add it to spec.namespaces", run.Queue, run.Namespace)
	case QueueNotFound:
		missing := pending(v1alpha1.ReasonQueueNotFound, "There is no TestQueue %q: create it, or create the run anew with another one", run.Queue)
		missing.MissingSince = why.MissingSince
		return missing
	case QueueSuspended:
		return pending(v1alpha1.ReasonQueueSuspended, "TestQueue %s is suspended: no run of it starts until spec.suspend is taken back", run.Queue)
	case NotBefore:
		return pending(v1alpha1.ReasonNotBefore, "Does not start before %s (runAfter)", why.Until.UTC().Format(time.RFC3339))
	case ConcurrencyLimit:
		return pending(v1alpha1.ReasonConcurrencyLimit, "%d of %d runs with the concurrency key %q run: %s. It starts when one of them has ended",
			why.InUse, why.Limit, run.Concurrency.Key, namesOf(why.Holders))
	case NamespaceLimit:
		return queuedBehind(run, fmt.Sprintf("%d of %d runs of namespace %s run (maxRunningPerNamespace)", why.InUse, why.Limit, run.Namespace))
	case QueueLimit:
		return queuedBehind(run, fmt.Sprintf("%d of %d runs run (maxRunning)", why.InUse, why.Limit))
	case RateLimited:
		return queuedBehind(run, "starts are limited (startRate)")
	default:
		return queuedBehind(run, "others come first, by priority, fair share and age")
	}
}

func queuedBehind(run Run, why string) Pending {
	return pending(v1alpha1.ReasonQueued, "Waits in queue %s: %s", run.Queue, why)
}

func pending(reason, message string, values ...any) Pending {
	return Pending{Reason: reason, Message: fmt.Sprintf(message, values...)}
}

// mostNames is how many runs a message names. An explanation holds one more, so that the message can say that there are more.
const mostNames = MostHolders - 1

func namesOf(runs []Key) string {
	var names []string
	for i, run := range runs {
		if i == mostNames {
			names = append(names, "…")
			break
		}
		names = append(names, run.Name)
	}
	return strings.Join(names, ", ")
}

// WasAccepted says whether a run with this reason in its status was let into its queue: see Run.Accepted.
func WasAccepted(reason string) bool {
	return slices.Contains([]string{v1alpha1.ReasonQueued, v1alpha1.ReasonQueueSuspended, v1alpha1.ReasonConcurrencyLimit}, reason)
}

// WasTold says whether a run with this reason in its status was told to wait without being let into its queue: see Run.Told.
func WasTold(reason string) bool {
	return slices.Contains([]string{v1alpha1.ReasonQueueNotFound, v1alpha1.ReasonQueueForbidden, v1alpha1.ReasonNotBefore}, reason)
}

// Ending is how a run ends that its queue does not let run, or not any more.
type Ending struct {
	Verdict         v1alpha1.Verdict
	Reason, Message string
	// InFavorOf is the name of the run because of which this one ends; empty if there is none.
	InFavorOf string
}

// endings says how a run ends for each cause.
var endings = map[Cause]Ending{
	QueueFull: {
		Verdict: v1alpha1.VerdictError, Reason: v1alpha1.ReasonQueueFull,
		Message: "As many runs wait in the queue as may (maxPending): create the run anew later",
	},
	NamespaceFull: {
		Verdict: v1alpha1.VerdictError, Reason: v1alpha1.ReasonQueueFull,
		Message: "As many runs of this namespace wait in the queue as may (maxPendingPerNamespace): create the run anew later",
	},
	Refused: {
		Verdict: v1alpha1.VerdictCancelled, Reason: v1alpha1.ReasonConcurrencyRefused,
		Message: "As many runs with its concurrency key run as may",
	},
	Duplicate: {Verdict: v1alpha1.VerdictCancelled, Reason: v1alpha1.ReasonDuplicate, Message: "Another run has the same unique key"},
	Replaced:  {Verdict: v1alpha1.VerdictCancelled, Reason: v1alpha1.ReasonReplaced, Message: "A later run takes its place"},
}

// Ending is how the run ends, if it has to end, and because of which other run.
func (t Turn) Ending() Ending {
	ending := endings[t.Cause]
	if t.By.Name != "" {
		ending.Message += ": " + t.By.Name
		ending.InFavorOf = t.By.Name
	}
	return ending
}

// NeverAppeared is how a run ends whose TestQueue did not appear within that time.
func (p Pending) NeverAppeared(within time.Duration) Ending {
	return Ending{
		Verdict: v1alpha1.VerdictError, Reason: v1alpha1.ReasonQueueNotFound,
		Message: fmt.Sprintf("%s; none appeared within %s", p.Message, within),
	}
}

// QueueTimeout is how a run ends whose turn did not come within the limit; why is the reason for which it waited.
func QueueTimeout(limit time.Duration, why string) Ending {
	return Ending{
		Verdict: v1alpha1.VerdictError, Reason: v1alpha1.ReasonQueueTimeout,
		Message: fmt.Sprintf("Its turn did not come within %s (timeouts.queue). %s", limit, why),
	}
}
