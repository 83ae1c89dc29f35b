package testrun

import (
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// maxMessage bounds every message on a run, in bytes as results.Size counts them.
const maxMessage = 1024

// nextStatus computes the whole status of the run. It is pure. When there is nothing to say, because the plan is silent or
// could not be carried out, it is the status as it was.
func nextStatus(seen observation, plan plan, applyErr error, now time.Time) v1alpha1.TestRunStatus {
	status := *seen.run.Status.DeepCopy()
	to := plan.state
	refused := (*refusal)(nil)
	switch {
	case status.Phase == v1alpha1.PhaseFinished:
		status.ObservedGeneration = seen.run.Generation
		return status
	case errors.As(applyErr, &refused):
		to = stateOfRefusal(refused)
	case applyErr != nil:
		return status
	}
	if to == nil {
		return status
	}
	if isBackwards(status.Phase, to.phase) {
		if currentAttempt(status).Number == firstAttempt {
			return status
		}
		to = inProgress(to.reason, to.message) // a further attempt on its way
	}

	status.ObservedGeneration = seen.run.Generation
	status.Phase, status.Verdict = to.phase, to.verdict
	if seen.job != nil {
		status.Test, status.TestGeneration = seen.job.Labels[v1alpha1.LabelTest], testGenerationOf(seen.job)
	}
	if seen.job != nil || refused != nil || isRecorded(seen.run.Status) {
		status.Attempts = withAttempt(status.Attempts, nextAttempt(seen, endOfAttempt(plan, to), now))
	}
	status.StartTime = firstStart(status)
	if to.phase == v1alpha1.PhaseFinished {
		if to.verdict == v1alpha1.VerdictPassed && spent(status, failureBudget) > 0 {
			status.Flaky = ptr.To(true)
		}
		status.InFavorOf = to.inFavorOf
		status.FinishTime = finishTimeOf(seen, now)
		status.Duration = durationBetween(status.StartTime, status.FinishTime)
		status.Results = resultsOf(seen.report)
	}
	setConditions(&status, seen.run, to, now)
	bound(&status)
	return status
}

func stateOfRefusal(refused *refusal) *state {
	if refused.final {
		return finished(v1alpha1.VerdictError, refused.reason, refused.Error())
	}
	return pending(refused.reason, refused.Error())
}

// isBackwards guards the one promise about phases: neither a stale cache nor a further attempt makes a run that is in progress
// pending again.
func isBackwards(from, to v1alpha1.Phase) bool {
	return from == v1alpha1.PhaseInProgress && to == v1alpha1.PhasePending
}

// currentAttempt is the attempt that a run is at, recorded or not. A run that has finished stays at its last one.
func currentAttempt(status v1alpha1.TestRunStatus) v1alpha1.Attempt {
	n := len(status.Attempts)
	switch {
	case n == 0:
		return v1alpha1.Attempt{Number: firstAttempt}
	case status.Attempts[n-1].Verdict != "" && status.Phase != v1alpha1.PhaseFinished:
		return v1alpha1.Attempt{Number: status.Attempts[n-1].Number + 1}
	default:
		return status.Attempts[n-1]
	}
}

// lastEnded is the last attempt that has ended; nil if none has.
func lastEnded(status v1alpha1.TestRunStatus) *v1alpha1.Attempt {
	for i := range slices.Backward(status.Attempts) {
		if status.Attempts[i].Verdict != "" {
			return &status.Attempts[i]
		}
	}
	return nil
}

// isRecorded says whether the attempt that the run is at is in the status.
func isRecorded(status v1alpha1.TestRunStatus) bool {
	n := len(status.Attempts)
	return n > 0 && status.Attempts[n-1].Number == currentAttempt(status).Number
}

func withAttempt(attempts []v1alpha1.Attempt, attempt v1alpha1.Attempt) []v1alpha1.Attempt {
	if n := len(attempts); n > 0 && attempts[n-1].Number == attempt.Number {
		attempts = attempts[:n-1]
	}
	return append(attempts, attempt)
}

// endOfAttempt is how the attempt ended; nil if it has not.
func endOfAttempt(plan plan, to *state) *state {
	if plan.attemptEnd == nil && to.phase == v1alpha1.PhaseFinished {
		return to
	}
	return plan.attemptEnd
}

func nextAttempt(seen observation, end *state, now time.Time) v1alpha1.Attempt {
	attempt := currentAttempt(*seen.run.Status.DeepCopy())
	if seen.job != nil {
		attempt.Job = seen.job.Name
		attempt.CreateTime = seen.job.CreationTimestamp.DeepCopy()
	}
	if attempt.CreateTime == nil {
		attempt.CreateTime = secondsOf(now)
	}
	if seen.pod != nil {
		attempt.Pod, attempt.Node = seen.pod.Name, seen.pod.Spec.NodeName
	}
	attempt.StartTime = startTimeOf(seen, attempt.StartTime)
	if container := testContainer(seen).Terminated; container != nil && testHasRun(seen) {
		attempt.ExitCode = &container.ExitCode
	}
	if end != nil {
		attempt.FinishTime = finishTimeOf(seen, now)
		attempt.Verdict, attempt.Reason = end.verdict, end.reason
		attempt.Summary = resultsOf(seen.report).Summary
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

// startTimeOf is when the test's container ran, by the kubelet's clock; known if nothing newer is seen. The runner in front of a
// command that cannot be executed has run for a moment, and the test has not.
func startTimeOf(seen observation, known *metav1.Time) *metav1.Time {
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

func finishTimeOf(seen observation, now time.Time) *metav1.Time {
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

// secondsOf is the time as the API stores it.
func secondsOf(t time.Time) *metav1.Time {
	return new(metav1.NewTime(t).Rfc3339Copy())
}

// setConditions says in conditions what the phase and the verdict say.
func setConditions(status *v1alpha1.TestRunStatus, run *v1alpha1.TestRun, to *state, now time.Time) {
	message := results.Cut(to.message, maxMessage)
	if to.phase != v1alpha1.PhaseFinished && currentReason(*status) == to.reason && !to.retold {
		// Kubernetes words the same trouble in changing ways: that alone is not worth a write.
		message = currentMessage(*status)
	}
	before := status.Conditions
	status.Conditions = nil
	set := func(conditionType string, value metav1.ConditionStatus, message string) {
		status.Conditions = append(status.Conditions, metav1.Condition{
			Type: conditionType, Status: value, Reason: to.reason, Message: message,
			ObservedGeneration: run.Generation, LastTransitionTime: transitionTime(before, conditionType, value, run, now),
		})
	}
	for _, phase := range v1alpha1.Phases {
		if phase == to.phase {
			set(string(phase), metav1.ConditionTrue, message)
		} else {
			set(string(phase), metav1.ConditionFalse, "")
		}
	}
	switch {
	case to.phase != v1alpha1.PhaseFinished:
		set(v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, message)
		set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, message)
	case to.verdict == v1alpha1.VerdictPassed:
		set(v1alpha1.ConditionSucceeded, metav1.ConditionTrue, message)
	default:
		set(v1alpha1.ConditionSucceeded, metav1.ConditionFalse, message)
		set(v1alpha1.ConditionStalled, metav1.ConditionTrue, message)
	}
}

// transitionTime is when the condition got its value. Those that the schema defaults date from the run's creation: a
// schema knows no time but a fixed one.
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

func currentReason(status v1alpha1.TestRunStatus) string {
	if condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSucceeded); condition != nil {
		return condition.Reason
	}
	return ""
}

func currentMessage(status v1alpha1.TestRunStatus) string {
	if condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSucceeded); condition != nil {
		return condition.Message
	}
	return ""
}
