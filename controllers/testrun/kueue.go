package testrun

import (
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// forKueue returns the labels or annotations of a template that speak to Kueue: it reads them on the Job.
func forKueue(all map[string]string) map[string]string {
	kueues := map[string]string{}
	for key, value := range all {
		if strings.HasPrefix(key, v1alpha1.KueuePrefix) {
			kueues[key] = value
		}
	}
	return kueues
}

// isHeldByKueue says whether Kueue keeps the Job suspended: it has not admitted it, or has preempted it. A Job that it has just
// resumed is held until the Job controller knows.
func isHeldByKueue(job *batchv1.Job) bool {
	return isSuspended(job) && job.Labels[v1alpha1.LabelKueueQueue] != ""
}

// isSuspended says whether somebody else than the operator has suspended the Job.
func isSuspended(job *batchv1.Job) bool {
	if job == nil || stopOfJob(job) != nil {
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

// releasedAt is when the Job could begin: at its creation, or when it was resumed for the last time.
func releasedAt(job *batchv1.Job) time.Time {
	if suspended := suspendedCondition(job); suspended != nil && suspended.Status == corev1.ConditionFalse {
		return suspended.LastTransitionTime.Time
	}
	return job.CreationTimestamp.Time
}

// preempted: the Job controller takes the pod of a suspended Job away. If the test had run, that attempt is over; nobody may
// resume its Job, which would run the test a second time.
func preempted(seen observation, _ time.Time) (plan, bool) {
	if !isSuspended(seen.job) || !testHasRun(seen) {
		return plan{}, false
	}
	if seen.pod != nil && (!podHasEnded(seen.pod) || seen.pod.DeletionTimestamp.IsZero() || testEndedBefore(seen, deletionOf(seen.pod))) {
		return plan{}, false
	}
	end := finished(v1alpha1.VerdictError, v1alpha1.ReasonDisrupted, "Somebody suspended the Job while the test ran")
	if isHeldByKueue(seen.job) {
		end.message = "Kueue preempted the Job while the test ran"
	}
	if why := seen.workload.refusal(); why != "" {
		end = finished(v1alpha1.VerdictError, v1alpha1.ReasonKueueRefused, why)
	}
	over := orAnotherAttempt(seen, end)
	over.stop = end
	return over, true
}

// heldTooLong: timeouts.queue limits the time that Kueue takes, too.
func heldTooLong(seen observation, now time.Time) (plan, bool) {
	if !isHeldByKueue(seen.job) || testHasRun(seen) {
		return plan{}, false
	}
	limit := placeKept(seen.job, seen.run).Timeout
	if limit == 0 || now.Before(waitsSince(seen).Add(limit)) {
		return plan{}, false
	}
	end := queueTimeout(limit, currentMessage(seen.run.Status))
	return plan{stop: end, state: end}, true
}

// refusedByKueue: there is nothing to wait for.
func refusedByKueue(seen observation, _ time.Time) (plan, bool) {
	if !isHeldByKueue(seen.job) || testHasRun(seen) || seen.workload.refusal() == "" {
		return plan{}, false
	}
	end := finished(v1alpha1.VerdictError, v1alpha1.ReasonKueueRefused, seen.workload.refusal())
	return plan{stop: end, state: end}, true
}

// waitsForKueue: the time that Kueue takes is not held against the start of the run.
func waitsForKueue(seen observation, now time.Time) (plan, bool) {
	if !isHeldByKueue(seen.job) || testHasRun(seen) {
		return plan{}, false
	}
	if worthTelling := seen.job.CreationTimestamp.Add(explainAfter); now.Before(worthTelling) {
		return tellLater(worthTelling, now), true
	}
	waits := plan{state: pending(v1alpha1.ReasonWaitingForKueue, whyKueueWaits(seen)), requeueAfter: nextQuestion(seen.job, now), whenIdle: true}
	waits.state.retold = true
	if limit := placeKept(seen.job, seen.run).Timeout; limit > 0 {
		waits.requeueAfter = min(waits.requeueAfter, waitsSince(seen).Add(limit).Sub(now))
	}
	return waits, true
}

func whyKueueWaits(seen observation) string {
	waits := fmt.Sprintf("Job %s waits for Kueue to admit it in queue %s", seen.job.Name, seen.job.Labels[v1alpha1.LabelKueueQueue])
	switch why := seen.workload.says(); {
	case why != "":
		return waits + ": " + why
	case seen.workload != nil && seen.workload.Unreadable:
		return fmt.Sprintf("%s. The operator may not read why (config/kueue gives it the right): kubectl -n %s describe workloads", waits, seen.job.Namespace)
	default:
		return waits
	}
}

// isWorthAskingKueue says whether what Kueue says of the Job decides something, or is to be told.
func isWorthAskingKueue(seen observation, now time.Time) bool {
	if keepsPlace(seen.job) {
		return true
	}
	return isHeldByKueue(seen.job) && (testHasRun(seen) || !now.Before(seen.job.CreationTimestamp.Add(explainAfter)))
}

// longestPause is how long Kueue is not asked at most.
const longestPause = 5 * time.Minute

// nextQuestion is how long to wait before Kueue is asked again: as long as it has held the Job until now. What it says of a Job
// changes nothing of the Job, and so wakes nobody.
func nextQuestion(job *batchv1.Job, now time.Time) time.Duration {
	since := job.CreationTimestamp.Time
	if suspended := suspendedCondition(job); suspended != nil {
		since = later(since, suspended.LastTransitionTime.Time)
	}
	return min(max(now.Sub(since), explainAfter), longestPause)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// kueueMargin is how long Kueue may take to give back the quota of a Job that it has suspended.
const kueueMargin = 5 * time.Second

// mayHoldQuota says whether Kueue may have reserved quota for the Job. It may lose count of that if the Job asks for another number of
// pods just then: see docs/decisions/kueue.md.
func mayHoldQuota(job *batchv1.Job, known *workload, now time.Time) bool {
	if job.Labels[v1alpha1.LabelKueueQueue] == "" {
		return false
	}
	suspended := suspendedCondition(job)
	if suspended == nil || suspended.Status != corev1.ConditionTrue {
		return true
	}
	return now.Before(suspended.LastTransitionTime.Add(kueueMargin)) || known.holdsQuota()
}

// keepsPlace says whether the Job was stopped and still has a place in Kueue's queue: Kueue would find room for a pod, by preempting
// others if need be, only to see the Job fail. One that asks for no pods gets its turn at once, fails, and has left.
func keepsPlace(job *batchv1.Job) bool {
	return job != nil && job.Labels[v1alpha1.LabelKueueQueue] != "" && stopOfJob(job) != nil && jobEnd(job) == nil &&
		ptr.Deref(job.Spec.Parallelism, 1) != 0
}

// leavesKueue has a stopped Job leave Kueue's queue as soon as that does no harm.
func leavesKueue(seen observation, now time.Time) plan {
	switch {
	case !keepsPlace(seen.job):
		return plan{}
	case mayHoldQuota(seen.job, seen.workload, now):
		return plan{requeueAfter: nextQuestion(seen.job, now)}
	default:
		return plan{leaveKueue: seen.job}
	}
}

// startedTwice: somebody suspended the Job and resumed it while no operator looked. The test has run in one pod and runs again in
// another one, as the same attempt. That is over; a further attempt has a number of its own.
func startedTwice(seen observation, _ time.Time) (plan, bool) {
	if !isSecondPod(seen) {
		return plan{}, false
	}
	end := finished(v1alpha1.VerdictError, v1alpha1.ReasonDisrupted, fmt.Sprintf(
		"Pod %s, in which the test ran, was taken away, and pod %s was started in its place", recordOf(seen).Pod, seen.pod.Name))
	if podHasEnded(seen.pod) {
		return orAnotherAttempt(seen, end), true
	}
	return plan{stop: end}, true
}

// isSecondPod says whether the test of this attempt has run in another pod than the one that there is.
func isSecondPod(seen observation) bool {
	first := recordOf(seen)
	return seen.pod != nil && first.StartTime != nil && first.Pod != "" && first.Pod != seen.pod.Name
}
