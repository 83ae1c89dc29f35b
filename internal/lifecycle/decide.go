// Package lifecycle decides the life of one run: from Pending through InProgress to a verdict. What was seen of the run (Observation) gives
// what to do (Decide, a list of rules), and both give the status (NextStatus). It is pure: it reads nothing, writes nothing, and has no
// clock. See docs/decisions/pure-core.md.
package lifecycle

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
)

// rule is one step of the decision. decide returns false if the rule does not apply to the observation.
type rule struct {
	name   string
	decide func(seen Observation, now time.Time) (Plan, bool)
}

// rules are in order: the first one that applies decides. docs/life-of-a-run.md has the same list.
var rules = []rule{
	// The run is gone, or has finished.
	{"beingDeleted", beingDeleted}, // nothing to do: Kubernetes' garbage collector deletes what the run owns
	{"afterFinish", afterFinish},   // a verdict never changes; a Job that is still active is stopped

	// The attempt has ended.
	{"stillEnding", stillEnding},     // the pod has failed, but the test's container has not ended: wait for its exit code and report
	{"stoppedByUs", stoppedByUs},     // the attempt ends with the reason for which it was stopped
	{"ranTooLong", ranTooLong},       // the kubelet stopped the test at timeouts.run → TimedOut, or another attempt
	{"startedTwice", startedTwice},   // Kubernetes has started the attempt in a second pod → Error, or another attempt
	{"preempted", preempted},         // Kueue or somebody suspended the Job while the test ran → Error, or another attempt
	{"wasDisrupted", wasDisrupted},   // the cluster took the pod away → Error, or another attempt
	{"podWasDeleted", podWasDeleted}, // somebody took the pod away → Error
	{"neverRan", neverRan},           // the pod ended without having run the test → Error; another attempt if its node is to blame
	{"testEnded", testEnded},         // exit code and results decide: Passed or Failed, Error if demanded results are missing, or another attempt
	{"jobEnded", jobEnded},           // the Job ended, and its pod is gone → Error, or another attempt

	// The attempt has to end.
	{"waitsForHelpers", waitsForHelpers}, // the test has ended, and its pod has not: wait for its other containers, then stop them
	{"nodeLost", nodeLost},               // the node has been silent for timeouts.unreachable → Error, or another attempt if retry.unreachable is Replace
	{"jobVanished", jobVanished},         // somebody deleted the Job → Error, and never a second Job
	{"cancelRequested", cancelRequested}, // → Cancelled

	// Kueue holds the Job.
	{"refusedByKueue", refusedByKueue}, // Kueue will never admit the Job → Error
	{"heldTooLong", heldTooLong},       // timeouts.queue is over while Kueue holds the Job → Error
	{"waitsForKueue", waitsForKueue},   // → Pending

	// The test does not start.
	{"imageNameInvalid", imageNameInvalid}, // no image can have that name → Error
	{"startTooSlow", startTooSlow},         // timeouts.start is over → Error, with what Kubernetes said

	// The attempt is on its way.
	{"nodeSilent", nodeSilent}, // → InProgress, until the node is back or lost
	{"testRuns", testRuns},     // → InProgress
	{"testStarts", testStarts}, // → Pending, at which step

	// The run is between two attempts.
	{"nextAttemptDue", nextAttemptDue}, // create its Job, from the same definition, when the backoff is over

	// The run has no Job yet.
	{"runNotFound", runNotFound},       // the run that is to be repeated does not exist → Error
	{"testNotFound", testNotFound},     // → Pending; Error once the grace period is over
	{"paramsInvalid", paramsInvalid},   // → Error
	{"refusedByQueue", refusedByQueue}, // → Error or Cancelled: the queue is full, or another run is in its place
	{"waitedTooLong", waitedTooLong},   // timeouts.queue is over → Error
	{"queueNotFound", queueNotFound},   // → Pending; Error once the grace period is over
	{"waitsInQueue", waitsInQueue},     // → Pending, until it is the run's turn
	{"start", start},                   // create the Job
}

// Decide chooses what to do. It is pure.
func Decide(seen Observation, now time.Time) Plan {
	for _, rule := range rules {
		if plan, applies := rule.decide(seen, now); applies {
			plan.Rule = rule.name
			return plan
		}
	}
	return Plan{}
}

func beingDeleted(seen Observation, _ time.Time) (Plan, bool) {
	return Plan{}, !seen.Run.DeletionTimestamp.IsZero()
}

func afterFinish(seen Observation, now time.Time) (Plan, bool) {
	status := seen.Run.Status
	if status.Phase != v1alpha1.PhaseFinished {
		return Plan{}, false
	}
	if isActive(seen) { // a Job that another controller created while this one finished the run
		return Plan{Stop: Finished(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "The run has finished")}, true
	}
	return leavesKueue(seen, now), true
}

// stillEnding waits for the test's container. A kubelet may report a pod as failed while it still stops its containers. A lost node never
// reports how they ended, so the wait has a limit.
func stillEnding(seen Observation, now time.Time) (Plan, bool) {
	if !podHasFailed(seen.Pod) || testContainer(seen).Running == nil {
		return Plan{}, false
	}
	left := endsBy(seen.Pod).Sub(now)
	return Plan{RequeueAfter: left}, left > 0
}

// stoppedByUs ends the attempt with the reason of the stop. If the test ran, the rule waits until the kubelet has ended the pod, so that
// its exit code and end time are known.
func stoppedByUs(seen Observation, _ time.Time) (Plan, bool) {
	if state := StopOfJob(seen.Job); state != nil {
		return orAnotherAttempt(seen, state), true
	}
	state := StopOfPod(seen.Pod)
	if state == nil {
		return Plan{}, false
	}
	if testHasRun(seen) && !(PodHasEnded(seen.Pod) && seen.Pod.Status.Reason == reasonDeadlineExceeded) {
		return Plan{}, false
	}
	return orAnotherAttempt(seen, state), true
}

// ranTooLong does not apply if the test had ended before: then the pod's time limit stopped only other containers.
func ranTooLong(seen Observation, _ time.Time) (Plan, bool) {
	if !podHasFailed(seen.Pod) || seen.Pod.Status.Reason != reasonDeadlineExceeded {
		return Plan{}, false
	}
	if helpersStopped(seen.Pod) || testEndedBefore(seen, deadlineOf(seen)) {
		return Plan{}, false
	}
	limit := seen.Record.RunTimeout
	if !testHasRun(seen) {
		reason, message := lastStep(seen)
		return Plan{State: couldNotStart(reason,
			fmt.Sprintf("The pod was stopped after %s (timeouts.run) and the test had not started. %s", limit, message))}, true
	}
	return orAnotherAttempt(seen, Finished(v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout,
		fmt.Sprintf("The test was stopped after %s (timeouts.run)", limit))), true
}

func wasDisrupted(seen Observation, _ time.Time) (Plan, bool) {
	if !PodHasEnded(seen.Pod) {
		return Plan{}, false
	}
	target := podCondition(seen.Pod, corev1.DisruptionTarget)
	if target == nil || target.Status != corev1.ConditionTrue || testEndedBefore(seen, at(target.LastTransitionTime.Time)) {
		return Plan{}, false
	}
	return orAnotherAttempt(seen, Finished(v1alpha1.VerdictError, v1alpha1.ReasonDisrupted,
		fmt.Sprintf("The cluster took the pod away. %s: %s", target.Reason, target.Message))), true
}

// podWasDeleted applies once the pod has ended. A pod without a node needs no wait: once it is being deleted, it is never scheduled.
func podWasDeleted(seen Observation, _ time.Time) (Plan, bool) {
	if seen.Pod == nil || seen.Pod.DeletionTimestamp.IsZero() {
		return Plan{}, false
	}
	ended := PodHasEnded(seen.Pod) || seen.Pod.Spec.NodeName == ""
	if !ended || testEndedBefore(seen, deletionOf(seen.Pod)) {
		return Plan{}, false
	}
	return Plan{State: Finished(v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted,
		fmt.Sprintf("Pod %s was deleted before the test had ended", seen.Pod.Name))}, true
}

func neverRan(seen Observation, _ time.Time) (Plan, bool) {
	if !PodHasEnded(seen.Pod) || testHasRun(seen) {
		return Plan{}, false
	}
	return orAnotherAttempt(seen, causeOfNotRunning(seen)), true
}

func testEnded(seen Observation, _ time.Time) (Plan, bool) {
	if !PodHasEnded(seen.Pod) {
		return Plan{}, false
	}
	return orAnotherAttempt(seen, verdictOfExit(seen)), true
}

func jobEnded(seen Observation, _ time.Time) (Plan, bool) {
	end := JobEnd(seen.Job)
	switch {
	case end == nil || seen.Pod != nil:
		return Plan{}, false
	case end.Type == batchv1.JobComplete && seen.Record.Format == v1alpha1.ResultsNone:
		return Plan{State: Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "The Job completed; its pod is gone")}, true
	default:
		return orAnotherAttempt(seen, Finished(v1alpha1.VerdictError, v1alpha1.ReasonPodLost,
			fmt.Sprintf("The Job's pod is gone, and with it how the test ended. %s: %s", end.Reason, end.Message))), true
	}
}

func jobVanished(seen Observation, _ time.Time) (Plan, bool) {
	return Plan{State: Finished(v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted,
		fmt.Sprintf("Job %s was deleted before the run had finished", jobspec.JobName(seen.Run, CurrentAttempt(seen.Run.Status).Number)))}, seen.JobVanished
}

// startTooSlow counts from when the Job could start, or from its first refusal. So a run does not lose the time during which no operator
// ran.
func startTooSlow(seen Observation, now time.Time) (Plan, bool) {
	deadline, limit := StartDeadline(seen)
	if deadline.IsZero() || testHasRun(seen) || now.Before(deadline) {
		return Plan{}, false
	}
	if seen.Job == nil {
		reason, message := CurrentReason(seen.Run.Status), CurrentMessage(seen.Run.Status)
		return Plan{State: couldNotStart(reason, fmt.Sprintf("Not started within %s (timeouts.start). %s", limit, message))}, true
	}
	step := startingStep(seen)
	state := couldNotStart(step.reason, fmt.Sprintf("Not started within %s (timeouts.start). %s", limit, step.message))
	return Plan{Stop: state, State: state}, true
}

// testRuns reports nothing once the pod is gone: the Job controller is about to end the Job. It asks for another look when the pod is
// overdue (see mayBeSilent). If a helper does not start, it reports that, because the test may wait for the helper.
func testRuns(seen Observation, now time.Time) (Plan, bool) {
	if !testHasRun(seen) || seen.Pod == nil {
		return Plan{}, testHasRun(seen)
	}
	message := fmt.Sprintf("The test runs in pod %s on node %s", seen.Pod.Name, seen.Pod.Spec.NodeName)
	plan := Plan{State: inProgress(v1alpha1.ReasonRunning, message), RequeueAfter: max(0, overdueAt(seen).Sub(now))}
	running := testContainer(seen).Running
	reason, trouble := waitingContainer(seen)
	if trouble == "" || running == nil {
		return plan, true
	}
	if reportAt := running.StartedAt.Add(ExplainAfter); now.Before(reportAt) {
		plan.RequeueAfter = reportAt.Sub(now)
	} else {
		plan.State = inProgress(reason, message+". "+trouble)
	}
	return plan, true
}

func testStarts(seen Observation, now time.Time) (Plan, bool) {
	if seen.Job == nil {
		return Plan{}, false
	}
	step := startingStep(seen)
	plan := reportLater(step.nextLook(now), now)
	if deadline, _ := StartDeadline(seen); deadline.Sub(now) <= plan.RequeueAfter {
		plan = Plan{RequeueAfter: deadline.Sub(now)}
	}
	if !now.Before(step.reportAt()) {
		plan.State = pending(step.reason, step.message)
	}
	return plan, true
}

func runNotFound(seen Observation, _ time.Time) (Plan, bool) {
	if seen.Asked.RerunOf == nil {
		return Plan{}, false
	}
	return Plan{State: Finished(v1alpha1.VerdictError, v1alpha1.ReasonRunNotFound, fmt.Sprintf(
		"TestRun %q, which is to be repeated, does not exist in namespace %s, or leads back to itself", seen.Asked.RerunOf.Name, seen.Run.Namespace))}, true
}

func testNotFound(seen Observation, now time.Time) (Plan, bool) {
	if seen.Asked.TestRef == nil || seen.Test != nil {
		return Plan{}, false
	}
	message := fmt.Sprintf("There is no Test %q in namespace %s", seen.Asked.TestRef.Name, seen.Run.Namespace)
	created := seen.Run.CreationTimestamp.Time
	if left := created.Add(seen.TestGracePeriod).Sub(now); left > 0 {
		waited := Plan{RequeueAfter: left}
		if reportAt := created.Add(ExplainAfter); now.Before(reportAt) {
			waited.RequeueAfter = min(left, reportAt.Sub(now))
		} else {
			waited.State = pending(v1alpha1.ReasonTestNotFound, message)
		}
		return waited, true
	}
	return Plan{State: Finished(v1alpha1.VerdictError, v1alpha1.ReasonTestNotFound,
		fmt.Sprintf("%s, and none appeared within %s", message, seen.TestGracePeriod))}, true
}

func paramsInvalid(seen Observation, _ time.Time) (Plan, bool) {
	if seen.Def.Err == nil {
		return Plan{}, false
	}
	return Plan{State: Finished(v1alpha1.VerdictError, v1alpha1.ReasonInvalidParams, seen.Def.Err.Error())}, true
}

func start(_ Observation, _ time.Time) (Plan, bool) {
	return Plan{Create: jobspec.FirstAttempt}, true
}
