package lifecycle

import (
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/results"
)

// maxMessage bounds every message on a run, in bytes as results.Size counts them.
const maxMessage = 1024

// NextStatus computes the whole status of the run. It is pure. The status stays as it is if the plan has no State, or if the plan could not
// be carried out for any other reason than a refusal. A finished run keeps its status, but for observedGeneration.
func NextStatus(seen Observation, plan Plan, applyErr error, now time.Time) v1alpha1.TestRunStatus {
	status := *seen.Run.Status.DeepCopy()
	to := plan.State
	refused := (*jobspec.Refusal)(nil)
	switch {
	case status.Phase == v1alpha1.PhaseFinished:
		status.ObservedGeneration = seen.Run.Generation
		return status
	case errors.As(applyErr, &refused):
		to = stateOfRefusal(refused)
	case applyErr != nil:
		return status
	}
	if to == nil {
		return status
	}
	if isBackwards(status.Phase, to.Phase) {
		if CurrentAttempt(status).Number == jobspec.FirstAttempt {
			return status
		}
		to = inProgress(to.Reason, to.Message) // a further attempt on its way
	}

	status.ObservedGeneration = seen.Run.Generation
	status.Phase, status.Verdict = to.Phase, to.Verdict
	if seen.Job != nil {
		status.Test, status.TestGeneration = seen.Record.Test, seen.Record.TestGeneration
	}
	status.Queue = queueOf(seen, status)
	if seen.Job != nil || refused != nil || isRecorded(seen.Run.Status) {
		status.Attempts = withAttempt(status.Attempts, nextAttempt(seen, endOfAttempt(plan, to), now))
	}
	status.StartTime = firstStart(status)
	if to.Phase == v1alpha1.PhaseFinished {
		if isFlaky(status) {
			status.Flaky = ptr.To(true)
		}
		status.InFavorOf = to.InFavorOf
		status.FinishTime = finishTimeOf(seen, now)
		status.Duration = durationBetween(status.StartTime, status.FinishTime)
		status.Results = resultsOf(seen.Report)
	}
	setConditions(&status, seen.Run, to, now)
	bound(&status)
	return status
}

// queueOf is the queue in which the run waits, or counts; the one that is known while that cannot be told.
func queueOf(seen Observation, status v1alpha1.TestRunStatus) string {
	switch {
	case seen.Job != nil:
		return seen.Record.QueueingOf(seen.Run).Queue
	case seen.Def != nil && len(status.Attempts) == 0: // the Test may change while the run waits
		return seen.Def.Queueing.Queue
	}
	return status.Queue
}

func stateOfRefusal(refused *jobspec.Refusal) *State {
	if refused.Final {
		return Finished(v1alpha1.VerdictError, refused.Reason, refused.Error())
	}
	return pending(refused.Reason, refused.Error())
}

// isBackwards says whether a run would go from InProgress back to Pending. Neither a stale cache nor a further attempt may cause that.
func isBackwards(from, to v1alpha1.Phase) bool {
	return from == v1alpha1.PhaseInProgress && to == v1alpha1.PhasePending
}

// CurrentAttempt is the attempt at which the run is, whether it is recorded or not. A finished run stays at its last attempt.
func CurrentAttempt(status v1alpha1.TestRunStatus) v1alpha1.Attempt {
	n := len(status.Attempts)
	switch {
	case n == 0:
		return v1alpha1.Attempt{Number: jobspec.FirstAttempt}
	case status.Attempts[n-1].Verdict != "" && status.Phase != v1alpha1.PhaseFinished:
		return v1alpha1.Attempt{Number: status.Attempts[n-1].Number + 1}
	default:
		return status.Attempts[n-1]
	}
}

// LastEnded is the last attempt that has ended; nil if none has.
func LastEnded(status v1alpha1.TestRunStatus) *v1alpha1.Attempt {
	for i := range slices.Backward(status.Attempts) {
		if status.Attempts[i].Verdict != "" {
			return &status.Attempts[i]
		}
	}
	return nil
}

// isRecorded says whether the current attempt is in the status.
func isRecorded(status v1alpha1.TestRunStatus) bool {
	n := len(status.Attempts)
	return n > 0 && status.Attempts[n-1].Number == CurrentAttempt(status).Number
}

func withAttempt(attempts []v1alpha1.Attempt, attempt v1alpha1.Attempt) []v1alpha1.Attempt {
	if n := len(attempts); n > 0 && attempts[n-1].Number == attempt.Number {
		attempts = attempts[:n-1]
	}
	return append(attempts, attempt)
}

// endOfAttempt is how the attempt ended; nil if it has not.
func endOfAttempt(plan Plan, to *State) *State {
	if plan.AttemptEnd == nil && to.Phase == v1alpha1.PhaseFinished {
		return to
	}
	return plan.AttemptEnd
}

func nextAttempt(seen Observation, end *State, now time.Time) v1alpha1.Attempt {
	attempt := CurrentAttempt(*seen.Run.Status.DeepCopy())
	if seen.Job != nil {
		attempt.Job = seen.Job.Name
		attempt.CreateTime = seen.Job.CreationTimestamp.DeepCopy()
	}
	if attempt.CreateTime == nil {
		attempt.CreateTime = secondsOf(now)
	}
	if seen.Pod != nil {
		attempt.Pod, attempt.Node = seen.Pod.Name, seen.Pod.Spec.NodeName
	}
	attempt.StartTime = startTimeOf(seen, attempt.StartTime)
	if container := testContainer(seen).Terminated; container != nil && testHasRun(seen) {
		attempt.ExitCode = &container.ExitCode
	}
	if end != nil {
		attempt.FinishTime = finishTimeOf(seen, now)
		attempt.Verdict, attempt.Reason = end.Verdict, end.Reason
		attempt.Summary = resultsOf(seen.Report).Summary
	}
	return attempt
}

// firstStart is when the test ran for the first time.
func firstStart(status v1alpha1.TestRunStatus) *metav1.Time {
	for _, attempt := range status.Attempts {
		if attempt.StartTime != nil {
			return attempt.StartTime
		}
	}
	return nil
}

// startTimeOf is when the test's container began to run, by the kubelet's clock; known if the pod says nothing newer. It is nil if the
// test's command could not be executed: then only the runner ran, for a moment.
func startTimeOf(seen Observation, known *metav1.Time) *metav1.Time {
	container := testContainer(seen)
	switch end := container.Terminated; {
	case commandNotStarted(seen):
		return nil
	case container.Running != nil:
		return container.Running.StartedAt.DeepCopy()
	case end != nil && !end.StartedAt.IsZero() && testHasRun(seen):
		return end.StartedAt.DeepCopy()
	default:
		return known
	}
}

func finishTimeOf(seen Observation, now time.Time) *metav1.Time {
	if end := testContainer(seen).Terminated; end != nil && !end.FinishedAt.IsZero() {
		return end.FinishedAt.DeepCopy()
	}
	return secondsOf(now)
}

func durationBetween(start, finish *metav1.Time) *metav1.Duration {
	if start == nil || finish == nil {
		return nil
	}
	return &metav1.Duration{Duration: max(0, finish.Sub(start.Time))}
}

// secondsOf is the time as the API stores it, in whole seconds.
func secondsOf(t time.Time) *metav1.Time {
	return new(metav1.NewTime(t).Rfc3339Copy())
}

// setConditions expresses the phase and the verdict as conditions.
func setConditions(status *v1alpha1.TestRunStatus, run *v1alpha1.TestRun, to *State, now time.Time) {
	message := results.Cut(to.Message, maxMessage)
	if to.Phase != v1alpha1.PhaseFinished && CurrentReason(*status) == to.Reason && !to.Retold {
		// Kubernetes words the same trouble in changing ways. That is not worth a write.
		message = CurrentMessage(*status)
	}
	before := status.Conditions
	status.Conditions = nil
	set := func(conditionType string, value metav1.ConditionStatus, message string) {
		status.Conditions = append(status.Conditions, metav1.Condition{
			Type: conditionType, Status: value, Reason: to.Reason, Message: message,
			ObservedGeneration: run.Generation, LastTransitionTime: transitionTime(before, conditionType, value, run, now),
		})
	}
	for _, phase := range v1alpha1.Phases {
		if phase == to.Phase {
			set(string(phase), metav1.ConditionTrue, message)
		} else {
			set(string(phase), metav1.ConditionFalse, "")
		}
	}
	switch {
	case to.Phase != v1alpha1.PhaseFinished:
		set(v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, message)
		set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, message)
	case to.Verdict == v1alpha1.VerdictPassed:
		set(v1alpha1.ConditionSucceeded, metav1.ConditionTrue, message)
	default:
		set(v1alpha1.ConditionSucceeded, metav1.ConditionFalse, message)
		set(v1alpha1.ConditionStalled, metav1.ConditionTrue, message)
	}
}

// transitionTime is when the condition got its value. A condition that was set by the schema's default counts from the creation of the run:
// a default can only hold a fixed time.
func transitionTime(before []metav1.Condition, conditionType string, value metav1.ConditionStatus, run *v1alpha1.TestRun, now time.Time) metav1.Time {
	condition := meta.FindStatusCondition(before, conditionType)
	switch {
	case condition == nil || condition.Status != value:
		return *secondsOf(now)
	case condition.LastTransitionTime.Unix() == 0:
		return run.CreationTimestamp
	default:
		return condition.LastTransitionTime
	}
}

// CurrentReason is the reason that the status gives; empty if it gives none.
func CurrentReason(status v1alpha1.TestRunStatus) string {
	if condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSucceeded); condition != nil {
		return condition.Reason
	}
	return ""
}

// CurrentMessage is the message that belongs to CurrentReason.
func CurrentMessage(status v1alpha1.TestRunStatus) string {
	if condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSucceeded); condition != nil {
		return condition.Message
	}
	return ""
}

// MayStillRun says whether the attempt's Job may have a pod that has not ended.
func MayStillRun(seen Observation) bool {
	return seen.Job != nil && JobEnd(seen.Job) == nil && StopOfJob(seen.Job) == nil && !PodHasEnded(seen.Pod)
}

// LeastStatus ends a run whose ordinary status the API server refuses. It adds only the operator's own words to what is stored already: see
// docs/decisions/trust.md.
func LeastStatus(run *v1alpha1.TestRun, why *State, now time.Time) v1alpha1.TestRunStatus {
	status := *run.Status.DeepCopy()
	status.ObservedGeneration = run.Generation
	status.Phase, status.Verdict = why.Phase, why.Verdict
	status.FinishTime = secondsOf(now)
	setConditions(&status, run, why, now)
	bound(&status)
	return status
}
