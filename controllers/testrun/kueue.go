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

// waitsForKueue: the time that Kueue takes is not held against the start of the run.
func waitsForKueue(seen observation, now time.Time) (plan, bool) {
	if !isHeldByKueue(seen.job) || testHasRun(seen) {
		return plan{}, false
	}
	if worthTelling := seen.job.CreationTimestamp.Add(explainAfter); now.Before(worthTelling) {
		return tellLater(worthTelling, now), true
	}
	waits := plan{state: pending(v1alpha1.ReasonWaitingForKueue, fmt.Sprintf(
		"Job %s waits for Kueue to admit it in queue %s", seen.job.Name, seen.job.Labels[v1alpha1.LabelKueueQueue]))}
	if limit := placeKept(seen.job, seen.run).Timeout; limit > 0 {
		waits.requeueAfter = waitsSince(seen).Add(limit).Sub(now)
	}
	return waits, true
}
