package testrun

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// How long a step of the start may take before the status names it. An ordinary start is over sooner, and so costs no write: see
// docs/decisions/writes.md.
const (
	explainAfter = 5 * time.Second
	// explainBusyAfter is for the steps that take long for no other reason than that the cluster has much to do. To tell all who wait
	// for it so would be more to do.
	explainBusyAfter = 30 * time.Second
)

// plan is what a reconcile is to do: at most one of create, stop and stopHelpers, and what the status is to say.
type plan struct {
	// create is the number of the attempt whose Job is to be created; 0 for none. The Job is rendered when it is created: the cache holds
	// no templates.
	create int32
	// stop makes the attempt end, for this reason.
	stop *state
	// stopHelpers ends what still runs beside a test that has ended.
	stopHelpers bool
	// leaveKueue is a Job that was stopped and still has a place in Kueue's queue: it is to leave it.
	leaveKueue *batchv1.Job
	// attemptEnd is how the attempt ended, if another one follows; the run goes on.
	attemptEnd *state
	// state is what the status is to say; nil leaves the status as it is.
	state *state
	// requeueAfter asks for another look even if nothing changes. Zero does not.
	requeueAfter time.Duration
	// whenIdle says that the next look may wait for all other work: it only tells why the run waits.
	whenIdle bool
}

// tellLater is a plan to tell, at that time, why the run waits.
func tellLater(worthTelling, now time.Time) plan {
	return plan{requeueAfter: worthTelling.Sub(now), whenIdle: true}
}

// state is where a run is: phase, verdict (only when Finished), and why.
type state struct {
	phase   v1alpha1.Phase
	verdict v1alpha1.Verdict
	reason  string
	message string
	// inFavorOf is the name of the run because of which this one ends; empty for most.
	inFavorOf string
	// retold says that other words for the same reason are worth a write.
	retold bool
}

func pending(reason, message string) *state {
	return &state{phase: v1alpha1.PhasePending, reason: reason, message: message}
}

func inProgress(reason, message string) *state {
	return &state{phase: v1alpha1.PhaseInProgress, reason: reason, message: message}
}

func finished(verdict v1alpha1.Verdict, reason, message string) *state {
	return &state{phase: v1alpha1.PhaseFinished, verdict: verdict, reason: reason, message: message}
}

// rule decides for the observations that it is about, and says whether this is one.
type rule func(seen observation, now time.Time) (plan, bool)

// rules is the life of a run. The first rule that applies decides.
var rules = []rule{
	// A run that is over.
	beingDeleted,    // nothing: Kubernetes' garbage collector takes what the run owns
	afterFinish,     // a verdict never changes; a Job that is active nevertheless is stopped
	stillEnding,     // the pod counts as failed, and the test's container has not ended: wait for what it leaves
	stoppedByUs,     // what was stopped ends with the reason for which it was stopped
	ranTooLong,      // the kubelet stopped the test at timeouts.run → TimedOut, or another attempt
	startedTwice,    // Kubernetes has started the attempt in a second pod → Error, or another attempt
	preempted,       // Kueue or somebody suspended the Job while the test ran → Error, or another attempt
	wasDisrupted,    // the cluster took the pod away → Error, or another attempt
	podWasDeleted,   // somebody took the pod away → Error
	neverRan,        // the pod ended without having run the test → Error; another attempt if its node is to blame
	testEnded,       // exit code and results decide: Passed or Failed, or Error without the results that are demanded; or another attempt
	jobEnded,        // the Job ended, and its pod is gone → Error, or another attempt
	waitsForHelpers, // the test has ended, and other containers of its pod have not: they are waited for, and then stopped
	nodeLost,        // the node has been silent for timeouts.unreachable → Error, or another attempt if retry.unreachable is Replace
	jobVanished,     // somebody deleted the Job → Error, and never a second one
	cancelRequested, // → Cancelled
	refusedByKueue,  // Kueue will never admit the Job → Error
	heldTooLong,     // timeouts.queue is over while Kueue holds the Job → Error
	waitsForKueue,   // → Pending

	imageNameInvalid, // no image can have that name → Error
	startTooSlow,     // timeouts.start is over → Error, with what Kubernetes said

	// A run that is on its way.
	nodeSilent, // → InProgress, and nobody knows how the test is
	isRunning,  // → InProgress
	isStarting, // → Pending, at which step

	// A run between two attempts.
	nextAttemptDue, // create the Job of the next one, as the last one was, when the backoff is over

	// A run that has no Job yet.
	runNotFound,    // the run that is to be repeated → Error
	testNotFound,   // → Pending; Error once the grace period is over
	paramsInvalid,  // → Error
	refusedByQueue, // → Error or Cancelled: the queue is full, or another run is in its place
	waitedTooLong,  // timeouts.queue is over → Error
	queueNotFound,  // → Pending; Error once the grace period is over
	isQueued,       // → Pending, until it is the run's turn
	start,          // create the Job
}

// decide chooses what to do. It is pure.
func decide(seen observation, now time.Time) plan {
	for _, rule := range rules {
		if plan, applies := rule(seen, now); applies {
			return plan
		}
	}
	return plan{}
}

func beingDeleted(seen observation, _ time.Time) (plan, bool) {
	return plan{}, !seen.run.DeletionTimestamp.IsZero()
}

func afterFinish(seen observation, now time.Time) (plan, bool) {
	status := seen.run.Status
	if status.Phase != v1alpha1.PhaseFinished {
		return plan{}, false
	}
	if isActive(seen) { // a Job that another controller created while this one finished the run
		return plan{stop: finished(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "The run has finished")}, true
	}
	return leavesKueue(seen, now), true
}

// stillEnding: a kubelet may call a pod failed while it still stops the containers. A node that is lost never says how they
// ended, so the wait has an end.
func stillEnding(seen observation, now time.Time) (plan, bool) {
	if !podHasFailed(seen.pod) || testContainer(seen).Running == nil {
		return plan{}, false
	}
	left := endsBy(seen.pod).Sub(now)
	return plan{requeueAfter: left}, left > 0
}

// stoppedByUs: a pod that had begun to run the test is waited for, so that its exit code and its end are known.
func stoppedByUs(seen observation, _ time.Time) (plan, bool) {
	if state := stopOfJob(seen.job); state != nil {
		return orAnotherAttempt(seen, state), true
	}
	state := stopOfPod(seen.pod)
	if state == nil {
		return plan{}, false
	}
	if testHasRun(seen) && !(podHasEnded(seen.pod) && seen.pod.Status.Reason == reasonDeadlineExceeded) {
		return plan{}, false
	}
	return orAnotherAttempt(seen, state), true
}

// ranTooLong: the pod's time limit may have ended other containers only, after the test.
func ranTooLong(seen observation, _ time.Time) (plan, bool) {
	if !podHasFailed(seen.pod) || seen.pod.Status.Reason != reasonDeadlineExceeded {
		return plan{}, false
	}
	if helpersStopped(seen.pod) || testEndedBefore(seen, deadlineOf(seen)) {
		return plan{}, false
	}
	limit := runTimeoutOf(seen.job)
	if !testHasRun(seen) {
		reason, message := lastStep(seen)
		return plan{state: couldNotStart(reason,
			fmt.Sprintf("The pod was stopped after %s (timeouts.run) and the test had not started. %s", limit, message))}, true
	}
	return orAnotherAttempt(seen, finished(v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout,
		fmt.Sprintf("The test was stopped after %s (timeouts.run)", limit))), true
}

func wasDisrupted(seen observation, _ time.Time) (plan, bool) {
	if !podHasEnded(seen.pod) {
		return plan{}, false
	}
	target := podCondition(seen.pod, corev1.DisruptionTarget)
	if target == nil || target.Status != corev1.ConditionTrue || testEndedBefore(seen, at(target.LastTransitionTime.Time)) {
		return plan{}, false
	}
	return orAnotherAttempt(seen, finished(v1alpha1.VerdictError, v1alpha1.ReasonDisrupted,
		fmt.Sprintf("The cluster took the pod away. %s: %s", target.Reason, target.Message))), true
}

// podWasDeleted: a pod that is on no node never gets to one once it is being deleted, so there is nothing to wait for.
func podWasDeleted(seen observation, _ time.Time) (plan, bool) {
	if seen.pod == nil || seen.pod.DeletionTimestamp.IsZero() {
		return plan{}, false
	}
	ended := podHasEnded(seen.pod) || seen.pod.Spec.NodeName == ""
	if !ended || testEndedBefore(seen, deletionOf(seen.pod)) {
		return plan{}, false
	}
	return plan{state: finished(v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted,
		fmt.Sprintf("Pod %s was deleted before the test had ended", seen.pod.Name))}, true
}

func neverRan(seen observation, _ time.Time) (plan, bool) {
	if !podHasEnded(seen.pod) || testHasRun(seen) {
		return plan{}, false
	}
	return orAnotherAttempt(seen, causeOfNotRunning(seen)), true
}

func testEnded(seen observation, _ time.Time) (plan, bool) {
	if !podHasEnded(seen.pod) {
		return plan{}, false
	}
	return orAnotherAttempt(seen, verdictOfExit(seen)), true
}

func jobEnded(seen observation, _ time.Time) (plan, bool) {
	end := jobEnd(seen.job)
	switch {
	case end == nil || seen.pod != nil:
		return plan{}, false
	case end.Type == batchv1.JobComplete && formatReadOf(seen.job) == v1alpha1.ResultsNone:
		return plan{state: finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "The Job completed; its pod is gone")}, true
	default:
		return orAnotherAttempt(seen, finished(v1alpha1.VerdictError, v1alpha1.ReasonPodLost,
			fmt.Sprintf("The Job's pod is gone, and with it how the test ended. %s: %s", end.Reason, end.Message))), true
	}
}

func jobVanished(seen observation, _ time.Time) (plan, bool) {
	return plan{state: finished(v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted,
		fmt.Sprintf("Job %s was deleted before the run had finished", jobName(seen.run, currentAttempt(seen.run.Status).Number)))}, seen.jobVanished
}

// startTooSlow: the limit counts from the creation of the Job, or from its first refusal, so that time during which no
// controller ran is not held against a run.
func startTooSlow(seen observation, now time.Time) (plan, bool) {
	deadline, limit := startDeadline(seen)
	if deadline.IsZero() || testHasRun(seen) || now.Before(deadline) {
		return plan{}, false
	}
	if seen.job == nil {
		reason, message := currentReason(seen.run.Status), currentMessage(seen.run.Status)
		return plan{state: couldNotStart(reason, fmt.Sprintf("Not started within %s (timeouts.start). %s", limit, message))}, true
	}
	step := startingStep(seen)
	state := couldNotStart(step.reason, fmt.Sprintf("Not started within %s (timeouts.start). %s", limit, step.message))
	return plan{stop: state, state: state}, true
}

// isRunning: when the pod has gone, the Job controller is about to end the Job, and until then there is nothing to tell. A pod
// that is overdue is worth another look: see mayBeSilent. So is one with a helper that does not start: its test may wait for it.
func isRunning(seen observation, now time.Time) (plan, bool) {
	if !testHasRun(seen) || seen.pod == nil {
		return plan{}, testHasRun(seen)
	}
	message := fmt.Sprintf("The test runs in pod %s on node %s", seen.pod.Name, seen.pod.Spec.NodeName)
	next := plan{state: inProgress(v1alpha1.ReasonRunning, message), requeueAfter: max(0, overdueAt(seen).Sub(now))}
	running := testContainer(seen).Running
	reason, trouble := waitingContainer(seen)
	if trouble == "" || running == nil {
		return next, true
	}
	if worthTelling := running.StartedAt.Add(explainAfter); now.Before(worthTelling) {
		next.requeueAfter = worthTelling.Sub(now)
	} else {
		next.state = inProgress(reason, message+". "+trouble)
	}
	return next, true
}

func isStarting(seen observation, now time.Time) (plan, bool) {
	if seen.job == nil {
		return plan{}, false
	}
	step := startingStep(seen)
	next := tellLater(step.nextLook(now), now)
	if deadline, _ := startDeadline(seen); deadline.Sub(now) <= next.requeueAfter {
		next = plan{requeueAfter: deadline.Sub(now)}
	}
	if !now.Before(step.worthTelling()) {
		next.state = pending(step.reason, step.message)
	}
	return next, true
}

func runNotFound(seen observation, _ time.Time) (plan, bool) {
	if seen.asked.RerunOf == nil {
		return plan{}, false
	}
	return plan{state: finished(v1alpha1.VerdictError, v1alpha1.ReasonRunNotFound, fmt.Sprintf(
		"TestRun %q, which is to be repeated, does not exist in namespace %s, or leads back to itself", seen.asked.RerunOf.Name, seen.run.Namespace))}, true
}

func testNotFound(seen observation, now time.Time) (plan, bool) {
	if seen.asked.TestRef == nil || seen.test != nil {
		return plan{}, false
	}
	message := fmt.Sprintf("There is no Test %q in namespace %s", seen.asked.TestRef.Name, seen.run.Namespace)
	created := seen.run.CreationTimestamp.Time
	if left := created.Add(seen.testGracePeriod).Sub(now); left > 0 {
		waited := plan{requeueAfter: left}
		if worthTelling := created.Add(explainAfter); now.Before(worthTelling) {
			waited.requeueAfter = min(left, worthTelling.Sub(now))
		} else {
			waited.state = pending(v1alpha1.ReasonTestNotFound, message)
		}
		return waited, true
	}
	return plan{state: finished(v1alpha1.VerdictError, v1alpha1.ReasonTestNotFound,
		fmt.Sprintf("%s, and none appeared within %s", message, seen.testGracePeriod))}, true
}

func paramsInvalid(seen observation, _ time.Time) (plan, bool) {
	if err := paramsFit(seen, definitionOf(seen)); err != nil {
		return plan{state: finished(v1alpha1.VerdictError, v1alpha1.ReasonInvalidParams, err.Error())}, true
	}
	return plan{}, false
}

func start(_ observation, _ time.Time) (plan, bool) {
	return plan{create: firstAttempt}, true
}
