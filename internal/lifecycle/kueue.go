package lifecycle

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// isHeldByKueue says whether Kueue keeps the Job suspended: it has not admitted the Job yet, or has preempted it. A Job that Kueue has just
// resumed counts as held until the Job controller has noticed.
func isHeldByKueue(job *batchv1.Job) bool {
	return IsSuspended(job) && job.Labels[v1alpha1.LabelKueueQueue] != ""
}

// IsSuspended says whether somebody other than the operator has suspended the Job.
func IsSuspended(job *batchv1.Job) bool {
	if job == nil || StopOfJob(job) != nil {
		return false
	}
	suspended := suspendedCondition(job)
	return ptr.Deref(job.Spec.Suspend, false) || suspended != nil && suspended.Status == corev1.ConditionTrue
}

func suspendedCondition(job *batchv1.Job) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if job.Status.Conditions[i].Type == batchv1.JobSuspended {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

// releasedAt is when the Job could begin: at its creation, or when it was last resumed.
func releasedAt(job *batchv1.Job) time.Time {
	if suspended := suspendedCondition(job); suspended != nil && suspended.Status == corev1.ConditionFalse {
		return suspended.LastTransitionTime.Time
	}
	return job.CreationTimestamp.Time
}

// isTakenBack says whether the pod was deleted because somebody suspended the Job before the test ran. The attempt then waits as if it had no
// pod: the Job gets another one once it is resumed.
func isTakenBack(seen Observation) bool {
	if seen.Job == nil || JobEnd(seen.Job) != nil || StopOfJob(seen.Job) != nil || seen.Pod == nil || seen.Pod.DeletionTimestamp.IsZero() || testHasRun(seen) {
		return false
	}
	since := suspendedCondition(seen.Job)
	return IsSuspended(seen.Job) || since != nil && !deletionOf(seen.Pod).earliest.After(since.LastTransitionTime.Time) // resumed since
}

// preempted ends the attempt of a Job that was suspended after its test had started: the Job controller deletes the pod of a suspended Job.
// The plan also stops the Job, because resuming it would run the test a second time.
func preempted(seen Observation, _ time.Time) (Plan, bool) {
	if !IsSuspended(seen.Job) || !testHasRun(seen) {
		return Plan{}, false
	}
	if seen.Pod != nil && (!PodHasEnded(seen.Pod) || seen.Pod.DeletionTimestamp.IsZero() || testEndedBefore(seen, deletionOf(seen.Pod))) {
		return Plan{}, false
	}
	end := Finished(v1alpha1.VerdictError, v1alpha1.ReasonDisrupted, "Somebody suspended the Job while the test ran")
	if isHeldByKueue(seen.Job) {
		end.Message = "Kueue preempted the Job while the test ran"
	}
	if why := seen.Workload.refusal(); why != "" {
		end = Finished(v1alpha1.VerdictError, v1alpha1.ReasonKueueRefused, why)
	}
	plan := orAnotherAttempt(seen, end)
	plan.Stop = end
	return plan, true
}

// heldTooLong: timeouts.queue also limits how long Kueue may hold the Job.
func heldTooLong(seen Observation, now time.Time) (Plan, bool) {
	if !isHeldByKueue(seen.Job) || testHasRun(seen) {
		return Plan{}, false
	}
	limit := seen.Record.Queueing.Timeout
	if limit == 0 || now.Before(waitsSince(seen).Add(limit)) {
		return Plan{}, false
	}
	end := queueTimeout(limit, CurrentMessage(seen.Run.Status))
	return Plan{Stop: end, State: end}, true
}

func refusedByKueue(seen Observation, _ time.Time) (Plan, bool) {
	if !isHeldByKueue(seen.Job) || testHasRun(seen) || seen.Workload.refusal() == "" {
		return Plan{}, false
	}
	end := Finished(v1alpha1.VerdictError, v1alpha1.ReasonKueueRefused, seen.Workload.refusal())
	return Plan{Stop: end, State: end}, true
}

// waitsForKueue: the time during which Kueue holds the Job does not count for timeouts.start.
func waitsForKueue(seen Observation, now time.Time) (Plan, bool) {
	if !isHeldByKueue(seen.Job) || testHasRun(seen) {
		return Plan{}, false
	}
	if reportAt := seen.Job.CreationTimestamp.Add(ExplainAfter); now.Before(reportAt) {
		return reportLater(reportAt, now), true
	}
	waits := Plan{State: pending(v1alpha1.ReasonWaitingForKueue, whyKueueWaits(seen)), RequeueAfter: nextQuestion(seen.Job, now), WhenIdle: true}
	waits.State.Retold = true
	if limit := seen.Record.Queueing.Timeout; limit > 0 {
		waits.RequeueAfter = min(waits.RequeueAfter, waitsSince(seen).Add(limit).Sub(now))
	}
	return waits, true
}

func whyKueueWaits(seen Observation) string {
	waits := fmt.Sprintf("Job %s waits for Kueue to admit it in queue %s", seen.Job.Name, seen.Job.Labels[v1alpha1.LabelKueueQueue])
	switch why := seen.Workload.waitMessage(); {
	case why != "":
		return waits + ": " + why
	case seen.Workload != nil && seen.Workload.Unreadable:
		return fmt.Sprintf("%s. The operator may not read why (config/kueue gives it the right): kubectl -n %s describe workloads", waits, seen.Job.Namespace)
	default:
		return waits
	}
}

// isWorthAskingKueue says whether Kueue's answer would decide something, or would be reported.
func isWorthAskingKueue(seen Observation, now time.Time) bool {
	if staysQueued(seen.Job) {
		return true
	}
	return isHeldByKueue(seen.Job) && (testHasRun(seen) || !now.Before(seen.Job.CreationTimestamp.Add(ExplainAfter)))
}

// longestPause is the longest time between two questions to Kueue.
const longestPause = 5 * time.Minute

// nextQuestion is how long to wait before asking Kueue again: as long as it has held the Job until now, within ExplainAfter and
// longestPause. Kueue's answer is not stored on the Job, so no event wakes the operator.
func nextQuestion(job *batchv1.Job, now time.Time) time.Duration {
	since := job.CreationTimestamp.Time
	if suspended := suspendedCondition(job); suspended != nil {
		since = later(since, suspended.LastTransitionTime.Time)
	}
	return min(max(now.Sub(since), ExplainAfter), longestPause)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// kueueMargin is how long Kueue may take to release the quota of a Job that it has suspended.
const kueueMargin = 5 * time.Second

// mayHoldQuota says whether Kueue may have reserved quota for the Job. If the Job then asked for another number of pods, Kueue could lose
// count of the quota: see docs/decisions/kueue.md.
func mayHoldQuota(job *batchv1.Job, known *Workload, now time.Time) bool {
	if job.Labels[v1alpha1.LabelKueueQueue] == "" {
		return false
	}
	suspended := suspendedCondition(job)
	if suspended == nil || suspended.Status != corev1.ConditionTrue {
		return true
	}
	return now.Before(suspended.LastTransitionTime.Add(kueueMargin)) || known.holdsQuota()
}

// staysQueued says whether the Job was stopped but is still in Kueue's queue. Kueue would reserve quota for its pod, by preempting others
// if need be, and then see the Job fail. A Job that asks for no pods is admitted at once, fails, and so leaves the queue.
func staysQueued(job *batchv1.Job) bool {
	return job != nil && job.Labels[v1alpha1.LabelKueueQueue] != "" && StopOfJob(job) != nil && JobEnd(job) == nil &&
		ptr.Deref(job.Spec.Parallelism, 1) != 0
}

// leavesKueue takes a stopped Job out of Kueue's queue as soon as that does no harm.
func leavesKueue(seen Observation, now time.Time) Plan {
	switch {
	case !staysQueued(seen.Job):
		return Plan{}
	case mayHoldQuota(seen.Job, seen.Workload, now):
		return Plan{RequeueAfter: nextQuestion(seen.Job, now)}
	default:
		return Plan{LeaveKueue: seen.Job}
	}
}

// startedTwice ends an attempt that was started in a second pod: somebody suspended the Job and resumed it while no operator ran, so the
// test runs again. A further attempt has a number of its own. See docs/decisions/kueue.md.
func startedTwice(seen Observation, _ time.Time) (Plan, bool) {
	if !isSecondPod(seen) {
		return Plan{}, false
	}
	end := Finished(v1alpha1.VerdictError, v1alpha1.ReasonDisrupted, fmt.Sprintf(
		"Pod %s, in which the test ran, was taken away, and pod %s was started in its place", statusOfAttempt(seen).Pod, seen.Pod.Name))
	if PodHasEnded(seen.Pod) {
		return orAnotherAttempt(seen, end), true
	}
	return Plan{Stop: end}, true
}

// isSecondPod says whether the test of this attempt has already run in another pod than the one that is seen.
func isSecondPod(seen Observation) bool {
	first := statusOfAttempt(seen)
	return seen.Pod != nil && first.StartTime != nil && first.Pod != "" && first.Pod != seen.Pod.Name
}
