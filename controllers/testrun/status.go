package testrun

import (
	"errors"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// maxMessage bounds every message on a run, in bytes.
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
	if to == nil || isBackwards(status.Phase, to.phase) {
		return status
	}

	status.ObservedGeneration = seen.run.Generation
	status.Phase, status.Verdict = to.phase, to.verdict
	if seen.job != nil {
		status.TestGeneration = testGenerationOf(seen.job)
	}
	if seen.job != nil || refused != nil || len(status.Attempts) > 0 {
		status.Attempts = []v1alpha1.Attempt{nextAttempt(seen, to, now)}
	}
	status.StartTime = startTimeOf(seen, status.StartTime)
	if to.phase == v1alpha1.PhaseFinished {
		status.FinishTime = finishTimeOf(seen, now)
		status.Duration = durationBetween(status.StartTime, status.FinishTime)
	}
	setConditions(&status, seen.run, to, now)
	return status
}

func stateOfRefusal(refused *refusal) *state {
	if refused.final {
		return finished(v1alpha1.VerdictError, refused.reason, refused.Error())
	}
	return pending(refused.reason, refused.Error())
}

// isBackwards guards the one promise about phases: a stale cache must not make a run that is in progress pending again.
func isBackwards(from, to v1alpha1.Phase) bool {
	return from == v1alpha1.PhaseInProgress && to == v1alpha1.PhasePending
}

// currentAttempt is the run's last attempt, or the first one, if it has not been recorded yet.
func currentAttempt(status v1alpha1.TestRunStatus) v1alpha1.Attempt {
	if n := len(status.Attempts); n > 0 {
		return status.Attempts[n-1]
	}
	return v1alpha1.Attempt{Number: firstAttempt}
}

func nextAttempt(seen observation, to *state, now time.Time) v1alpha1.Attempt {
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
	if end := testContainer(seen).Terminated; end != nil && testHasRun(seen) {
		attempt.ExitCode = &end.ExitCode
	}
	if to.phase == v1alpha1.PhaseFinished {
		attempt.FinishTime = finishTimeOf(seen, now)
		attempt.Verdict, attempt.Reason = to.verdict, to.reason
	}
	return attempt
}

// startTimeOf is when the test's container ran, by the kubelet's clock; known if nothing newer is seen.
func startTimeOf(seen observation, known *metav1.Time) *metav1.Time {
	container := testContainer(seen)
	switch end := container.Terminated; {
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
	message := bounded(to.message)
	if to.phase == v1alpha1.PhasePending && currentReason(*status) == to.reason {
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

// bounded cuts a message that is too long, with a mark, and repairs what is not UTF-8.
func bounded(message string) string {
	const mark = "…"
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-len(mark)], "") + mark
}
