package lifecycle

import (
	"strconv"
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

// entryOf is the run as its queue sees it, in the given state.
func entryOf(run *v1alpha1.TestRun, here jobspec.Queueing, state admission.State) admission.Run {
	order, _ := strconv.ParseUint(run.ResourceVersion, 10, 64) // if it is not a number, the order of the reports decides
	entry := admission.Run{
		Key:   admission.Key{Namespace: run.Namespace, Name: run.Name, UID: run.UID},
		Queue: here.Queue, Priority: run.Spec.Priority, Created: run.CreationTimestamp.Time, Order: order, State: state,
		Concurrency: admission.Concurrency{Key: here.Key, Limit: here.Max},
		Accepted:    admission.WasAccepted(CurrentReason(run.Status)),
		Told:        admission.WasTold(CurrentReason(run.Status)),
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

// waiting is the entry of a run that has no Job yet; ok is false while it is not known what the run executes.
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

// QueueEntry is the run as its queue is to see it; ok is false while it is not known what the run executes.
func (seen Observation) QueueEntry() (entry admission.Run, ok bool) {
	started := seen.Job != nil || len(seen.Run.Status.Attempts) > 0
	entry, ok = waiting(seen)
	switch {
	case started && ok: // the Job was refused: the definition says in which queue the run counts
		entry.State = admission.Running
	case started:
		record := seen.Record
		if seen.Job == nil {
			record = seen.LastRecord
		}
		entry, ok = entryOf(seen.Run, record.QueueingOf(seen.Run), admission.Running), true
	}
	return entry, ok
}

// EndedEntry is the entry of a finished run whose unique key still counts; nil if the run has no such key, or never started.
func (seen Observation) EndedEntry() *admission.Run {
	if started := seen.Job != nil || len(seen.Run.Status.Attempts) > 0; !started || seen.Run.Spec.Unique.Window == nil {
		return nil
	}
	return new(entryOf(seen.Run, seen.Record.QueueingOf(seen.Run), admission.Ended))
}

// endsAs is the final state of a run that its queue ends.
func endsAs(ending admission.Ending) *State {
	end := Finished(ending.Verdict, ending.Reason, ending.Message)
	end.InFavorOf = ending.InFavorOf
	return end
}

func endedByQueue(turn admission.Turn) *State { return endsAs(turn.Ending()) }

// refusedByQueue ends a run of which nothing has been started.
func refusedByQueue(seen Observation, _ time.Time) (Plan, bool) {
	if seen.Turn.Action != admission.Finish {
		return Plan{}, false
	}
	return Plan{State: endedByQueue(seen.Turn)}, true
}

// queueNotFound counts the grace period from the creation of the run, or from when the TestQueue was found missing, whichever is later.
func queueNotFound(seen Observation, now time.Time) (Plan, bool) {
	wait := seen.Turn.Wait
	if wait.Reason != v1alpha1.ReasonQueueNotFound {
		return Plan{}, false
	}
	missing := latest(wait.MissingSince, seen.Run.CreationTimestamp.Time)
	if left := missing.Add(seen.QueueGracePeriod).Sub(now); left > 0 {
		return waitsUntil(seen, now, now.Add(left)), true
	}
	return Plan{State: endsAs(wait.NeverAppeared(seen.QueueGracePeriod))}, true
}

// waitedTooLong comes after the queue's decision: a run whose turn has come starts, however late.
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

// waitsSince is when timeouts.queue begins to count. For a further attempt that is the creation of its Job.
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
	return endsAs(admission.QueueTimeout(limit, why))
}

// waitsInQueue lets the run wait. It is looked at again when its turn comes, when it waits for another reason, or when timeouts.queue is
// over.
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

// waitsUntil is a plan to report why the run waits once that is worth a write, and to look again at the limit; a zero limit is none.
func waitsUntil(seen Observation, now, limit time.Time) Plan {
	reportAt := seen.Run.CreationTimestamp.Add(ExplainAfter)
	if now.Before(reportAt) && (limit.IsZero() || reportAt.Before(limit)) {
		return reportLater(reportAt, now)
	}
	plan := Plan{}
	if !now.Before(reportAt) {
		plan.State = pending(seen.Turn.Wait.Reason, seen.Turn.Wait.Message)
	}
	if !limit.IsZero() {
		plan.RequeueAfter = limit.Sub(now)
	}
	return plan
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
