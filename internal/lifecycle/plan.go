package lifecycle

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// How long a step of the start may take before the status names it. An ordinary start is over sooner, and so costs no write: see
// docs/decisions/writes.md.
const (
	// ExplainAfter is for steps that show a sign of trouble.
	ExplainAfter = 5 * time.Second
	// explainBusyAfter is for steps that are slow only because the cluster is busy. Reporting these steps for every waiting run would
	// add load exactly when the cluster is overloaded.
	explainBusyAfter = 30 * time.Second
)

// Plan is what a reconcile has to do: at most one of Create, Stop and StopHelpers, and the new state of the run.
type Plan struct {
	// Rule is the name of the rule that decided.
	Rule string
	// Create is the number of the attempt whose Job is to be created; 0 for none. The Job is rendered when it is created: the cache holds
	// no templates.
	Create int32
	// Stop is the reason for which the attempt has to end; nil lets it run.
	Stop *State
	// StopHelpers stops the other containers of the pod, after the test has ended.
	StopHelpers bool
	// LeaveKueue is a stopped Job that has to leave Kueue's queue; nil for none.
	LeaveKueue *batchv1.Job
	// AttemptEnd is how the attempt ended, if another attempt follows; the run itself goes on.
	AttemptEnd *State
	// State is what the status has to say; nil leaves the status as it is.
	State *State
	// RequeueAfter is when to look again even if nothing changes; zero is never.
	RequeueAfter time.Duration
	// WhenIdle gives that look the lowest priority: it only reports why the run waits.
	WhenIdle bool
}

// OnlyExplains says whether the plan does nothing but say why the run waits.
func (p Plan) OnlyExplains() bool {
	return p.State != nil && p.State.Phase == v1alpha1.PhasePending && p.Create == 0 && p.Stop == nil && !p.StopHelpers && p.LeaveKueue == nil
}

// reportLater is a plan to report at that time why the run waits.
func reportLater(reportAt, now time.Time) Plan {
	return Plan{RequeueAfter: reportAt.Sub(now), WhenIdle: true}
}

// State is where a run is: phase, verdict (only when Finished), and why.
type State struct {
	Phase   v1alpha1.Phase
	Verdict v1alpha1.Verdict
	Reason  string
	Message string
	// InFavorOf is the name of the run because of which this one ends; empty for most.
	InFavorOf string
	// Retold says that a new message for the same reason is worth a write.
	Retold bool
}

func pending(reason, message string) *State {
	return &State{Phase: v1alpha1.PhasePending, Reason: reason, Message: message}
}

func inProgress(reason, message string) *State {
	return &State{Phase: v1alpha1.PhaseInProgress, Reason: reason, Message: message}
}

// Finished is the end of a run, or of an attempt.
func Finished(verdict v1alpha1.Verdict, reason, message string) *State {
	return &State{Phase: v1alpha1.PhaseFinished, Verdict: verdict, Reason: reason, Message: message}
}
