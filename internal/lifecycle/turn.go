package lifecycle

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/jobspec"
)

var (
	concurrencyPolicies = map[v1alpha1.ConcurrencyPolicy]admission.Policy{
		v1alpha1.ConcurrencyRefuse:         admission.Refuse,
		v1alpha1.ConcurrencyReplacePending: admission.ReplaceWaiting,
		v1alpha1.ConcurrencyReplaceRunning: admission.ReplaceRunning,
	}
	uniquePolicies = map[v1alpha1.UniquePolicy]admission.OnConflict{v1alpha1.UniqueKeepLast: admission.KeepLast}
)

// Reasons of a run that its queue has spoken of: in acceptedReasons of one that it lets wait, and in toldReasons of others.
var (
	acceptedReasons = []string{v1alpha1.ReasonQueued, v1alpha1.ReasonQueueSuspended, v1alpha1.ReasonConcurrencyLimit}
	toldReasons     = []string{v1alpha1.ReasonQueueNotFound, v1alpha1.ReasonQueueForbidden, v1alpha1.ReasonNotBefore}
)

// entryOf is the run as its queue sees it, in that place and state.
func entryOf(run *v1alpha1.TestRun, here jobspec.Queueing, state admission.State) admission.Run {
	order, _ := strconv.ParseUint(run.ResourceVersion, 10, 64) // it may be no number: then the order of the reports holds
	entry := admission.Run{
		Key:   admission.Key{Namespace: run.Namespace, Name: run.Name, UID: run.UID},
		Queue: here.Queue, Priority: run.Spec.Priority, Created: run.CreationTimestamp.Time, Order: order, State: state,
		Concurrency: admission.Concurrency{Key: here.Key, Limit: here.Max},
		Accepted:    slices.Contains(acceptedReasons, CurrentReason(run.Status)),
		Told:        slices.Contains(toldReasons, CurrentReason(run.Status)),
	}
	if unique := run.Spec.Unique; unique.Key != "" {
		entry.Unique = admission.Unique{Key: unique.Key, OnConflict: uniquePolicies[unique.OnConflict]}
		if unique.Window != nil {
			entry.Unique.Window = unique.Window.Duration
		}
	}
	if run.Spec.RunAfter != nil {
		entry.RunAfter = run.Spec.RunAfter.Time
	}
	if run.Status.FinishTime != nil {
		entry.Ended = run.Status.FinishTime.Time
	}
	return entry
}

// waiting is the entry of a run that has no Job yet; ok is false if nobody knows yet what it would run.
func waiting(seen Observation) (entry admission.Run, ok bool) {
	def := seen.Def
	if seen.Asked.RerunOf != nil || def == nil || def.Err != nil {
		return admission.Run{}, false
	}
	entry = entryOf(seen.Run, def.Queueing, admission.Waiting)
	entry.Concurrency.Policy = concurrencyPolicies[def.Concurrency.OnConflict]
	for _, priority := range []*int32{seen.Run.Spec.Priority, seen.Asked.Priority, def.Spec.Priority} {
		if entry.Priority == nil {
			entry.Priority = priority
		}
	}
	return entry, true
}

// QueueEntry is the run as its queue is to see it; ok is false if nobody knows yet what it would run.
func (seen Observation) QueueEntry() (entry admission.Run, ok bool) {
	begun := seen.Job != nil || len(seen.Run.Status.Attempts) > 0
	entry, ok = waiting(seen)
	switch {
	case begun && ok: // the Job was refused, so that no Job says where the run counts
		entry.State = admission.Running
	case begun:
		kept := seen.Record
		if seen.Job == nil {
			kept = seen.LastRecord
		}
		entry, ok = entryOf(seen.Run, kept.QueueingOf(seen.Run), admission.Running), true
	}
	return entry, ok
}

// EndedEntry is a finished run whose unique key still counts; nil if it has none, or has never begun.
func (seen Observation) EndedEntry() *admission.Run {
	if begun := seen.Job != nil || len(seen.Run.Status.Attempts) > 0; !begun || seen.Run.Spec.Unique.Window == nil {
		return nil
	}
	return new(entryOf(seen.Run, seen.Record.QueueingOf(seen.Run), admission.Ended))
}

// endings are what a run ends with that a queue does not let run.
var endings = map[admission.Cause]struct {
	verdict v1alpha1.Verdict
	reason  string
	message string
}{
	admission.QueueFull: {v1alpha1.VerdictError, v1alpha1.ReasonQueueFull, "As many runs wait in the queue as may (maxPending): create the run anew later"},
	admission.NamespaceFull: {
		v1alpha1.VerdictError, v1alpha1.ReasonQueueFull,
		"As many runs of this namespace wait in the queue as may (maxPendingPerNamespace): create the run anew later",
	},
	admission.Refused:   {v1alpha1.VerdictCancelled, v1alpha1.ReasonConcurrencyRefused, "As many runs with its concurrency key run as may"},
	admission.Duplicate: {v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate, "Another run has the same unique key"},
	admission.Replaced:  {v1alpha1.VerdictCancelled, v1alpha1.ReasonReplaced, "A later run takes its place"},
}

// endedByQueue says what the run ends with, and because of which other run.
func endedByQueue(turn admission.Turn) *State {
	ending := endings[turn.Cause]
	end := Finished(ending.verdict, ending.reason, ending.message)
	if turn.By.Name != "" {
		end.Message = fmt.Sprintf("%s: %s", strings.TrimSuffix(end.Message, "."), turn.By.Name)
		end.InFavorOf = turn.By.Name
	}
	return end
}

// refusedByQueue: nothing of such a run has been started, nor will be.
func refusedByQueue(seen Observation, _ time.Time) (Plan, bool) {
	if seen.Turn.Action != admission.Finish {
		return Plan{}, false
	}
	return Plan{State: endedByQueue(seen.Turn)}, true
}

// queueNotFound: a TestQueue that was deleted while runs waited in it counts as missing from then on.
func queueNotFound(seen Observation, now time.Time) (Plan, bool) {
	wait := seen.Turn.Wait
	if wait.Reason != v1alpha1.ReasonQueueNotFound {
		return Plan{}, false
	}
	missing := latest(wait.MissingSince, seen.Run.CreationTimestamp.Time)
	if left := missing.Add(seen.QueueGracePeriod).Sub(now); left > 0 {
		return waitsUntil(seen, now, now.Add(left)), true
	}
	return Plan{State: Finished(v1alpha1.VerdictError, v1alpha1.ReasonQueueNotFound,
		fmt.Sprintf("%s; none appeared within %s", wait.Message, seen.QueueGracePeriod))}, true
}

// waitedTooLong: the queue decides first, so that a run whose turn has come starts however late that is.
func waitedTooLong(seen Observation, now time.Time) (Plan, bool) {
	if seen.Turn.Action == admission.Start {
		return Plan{}, false
	}
	limit := seen.Def.Queueing.Timeout
	if limit == 0 || now.Before(waitsSince(seen).Add(limit)) {
		return Plan{}, false
	}
	return Plan{State: queueTimeout(limit, seen.Turn.Wait.Message)}, true
}

// waitsSince is from when timeouts.queue counts: for a further attempt from the creation of its Job.
func waitsSince(seen Observation) time.Time {
	switch {
	case seen.Job != nil && CurrentAttempt(seen.Run.Status).Number > jobspec.FirstAttempt:
		return seen.Job.CreationTimestamp.Time
	case seen.Run.Spec.RunAfter != nil:
		return latest(seen.Run.CreationTimestamp.Time, seen.Run.Spec.RunAfter.Time)
	default:
		return seen.Run.CreationTimestamp.Time
	}
}

func queueTimeout(limit time.Duration, why string) *State {
	return Finished(v1alpha1.VerdictError, v1alpha1.ReasonQueueTimeout, fmt.Sprintf("Its turn did not come within %s (timeouts.queue). %s", limit, why))
}

// waitsInQueue: a run that has to wait is looked at again when it is its turn, when it waits for another reason, or when
// timeouts.queue is over.
func waitsInQueue(seen Observation, now time.Time) (Plan, bool) {
	if seen.Turn.Action == admission.Start {
		return Plan{}, false
	}
	var limit time.Time
	if timeout := seen.Def.Queueing.Timeout; timeout > 0 {
		limit = waitsSince(seen).Add(timeout)
	}
	return waitsUntil(seen, now, limit), true
}

// waitsUntil is a plan to say why the run waits once that is worth a write, and to look again at the limit; zero is none.
func waitsUntil(seen Observation, now, limit time.Time) Plan {
	worthTelling := seen.Run.CreationTimestamp.Add(ExplainAfter)
	if now.Before(worthTelling) && (limit.IsZero() || worthTelling.Before(limit)) {
		return tellLater(worthTelling, now)
	}
	waits := Plan{}
	if !now.Before(worthTelling) {
		waits.State = pending(seen.Turn.Wait.Reason, seen.Turn.Wait.Message)
	}
	if !limit.IsZero() {
		waits.RequeueAfter = limit.Sub(now)
	}
	return waits
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
