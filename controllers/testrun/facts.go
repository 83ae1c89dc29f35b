package testrun

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Words that Kubernetes uses and exports no constant for.
const (
	reasonDeadlineExceeded       = "DeadlineExceeded"
	reasonOOMKilled              = "OOMKilled"
	reasonStartError             = "StartError"
	reasonContainerCannotRun     = "ContainerCannotRun"
	reasonContainerStatusUnknown = "ContainerStatusUnknown"
)

// jobEnd returns the condition with which the Job ended, or nil.
func jobEnd(job *batchv1.Job) *batchv1.JobCondition {
	if job == nil {
		return nil
	}
	for i, condition := range job.Status.Conditions {
		ended := condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed
		if ended && condition.Status == corev1.ConditionTrue {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

// isActive says whether the attempt may still do something: neither its Job nor its pod has ended or been told to stop.
func isActive(seen observation) bool {
	return seen.job != nil && seen.job.DeletionTimestamp.IsZero() && jobEnd(seen.job) == nil && stopOfJob(seen.job) == nil &&
		!podHasEnded(seen.pod) && stopOfPod(seen.pod) == nil && !helpersStopped(seen.pod)
}

func podHasFailed(pod *corev1.Pod) bool { return pod != nil && pod.Status.Phase == corev1.PodFailed }

func podHasEnded(pod *corev1.Pod) bool {
	return podHasFailed(pod) || (pod != nil && pod.Status.Phase == corev1.PodSucceeded)
}

// reportMargin is how long a kubelet may take to report the end of a container.
const reportMargin = 10 * time.Second

// endsBy is when the containers of a pod that has failed must have ended: its grace period after it became unready.
func endsBy(pod *corev1.Pod) time.Time {
	ready := podCondition(pod, corev1.PodReady)
	if ready == nil || ready.Status == corev1.ConditionTrue {
		return time.Time{}
	}
	grace := time.Duration(ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, 0)) * time.Second
	return ready.LastTransitionTime.Add(grace + reportMargin)
}

func podCondition(pod *corev1.Pod, conditionType corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == conditionType {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// testContainer is the state of the container that is the test. It is empty while there is none.
func testContainer(seen observation) corev1.ContainerState {
	if seen.pod == nil {
		return corev1.ContainerState{}
	}
	for _, status := range seen.pod.Status.ContainerStatuses {
		if status.Name == testContainerName(seen.job) {
			return status.State
		}
	}
	return corev1.ContainerState{}
}

// testContainerName reads back what newJob wrote.
func testContainerName(job *batchv1.Job) string { return job.Annotations[v1alpha1.AnnotationContainer] }

// recordOf is what the status says of the attempt whose Job is seen; empty if it says nothing. A finished run may have a Job
// beyond its last attempt.
func recordOf(seen observation) v1alpha1.Attempt {
	if seen.job == nil {
		return currentAttempt(seen.run.Status)
	}
	for _, attempt := range seen.run.Status.Attempts {
		if attempt.Job == seen.job.Name {
			return attempt
		}
	}
	return v1alpha1.Attempt{}
}

// testHasRun says whether the test's container runs, or did. One whose command could not be executed did not, nor one that
// the kubelet ended before it was made: that has no time of start, unless the status remembers one of the same pod.
func testHasRun(seen observation) bool {
	container := testContainer(seen)
	switch end := container.Terminated; {
	case commandNotStarted(seen):
		return false
	case container.Running != nil, recordOf(seen).StartTime != nil && !isSecondPod(seen):
		return true
	case end == nil, isStartError(end):
		return false
	default:
		return !end.StartedAt.IsZero()
	}
}

// commandNotStarted says that the runner ran, and could not execute the test's command; or that the runner could not be executed.
func commandNotStarted(seen observation) bool {
	return runnerNotStarted(seen) || seen.report != nil && seen.report.NotStarted != ""
}

// exitNotExecuted is the exit code with which runc ends a container that it has started, and whose program the kernel then refuses.
const exitNotExecuted = 255

// runnerNotStarted says that the container ended so, and that the runner in it has reported nothing.
func runnerNotStarted(seen observation) bool {
	end := testContainer(seen).Terminated
	return end != nil && end.ExitCode == exitNotExecuted && end.Reason != reasonOOMKilled && end.Reason != reasonContainerStatusUnknown &&
		seen.report == nil && formatReadOf(seen.job) != v1alpha1.ResultsNone
}

// isStartError says that the container runtime could not start the container.
func isStartError(end *corev1.ContainerStateTerminated) bool {
	return end.Reason == reasonStartError || end.Reason == reasonContainerCannotRun
}

// startDeadline is when timeouts.start is over, and how long it is. It is zero for an attempt that nobody has tried to
// start.
func startDeadline(seen observation) (time.Time, time.Duration) {
	if seen.job != nil {
		limit := startTimeoutOf(seen.job)
		return releasedAt(seen.job).Add(limit), limit
	}
	refused := currentAttempt(seen.run.Status).CreateTime
	limit := time.Duration(0)
	switch {
	case refused.IsZero():
		return time.Time{}, 0
	case seen.lastJob != nil:
		limit = startTimeoutOf(seen.lastJob)
	case seen.asked.TestSpec != nil || seen.test != nil:
		limit = definitionOf(seen).startTimeout
	default:
		return time.Time{}, 0
	}
	return refused.Add(limit), limit
}

// isSlowToStart says whether the attempt has not started for so long that it is worth asking why.
func isSlowToStart(seen observation, now time.Time) bool {
	return !testHasRun(seen) && !podHasEnded(seen.pod) && !now.Before(releasedAt(seen.job).Add(explainAfter))
}
