package lifecycle

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Reasons of Kubernetes for which it exports no constant.
const (
	reasonDeadlineExceeded       = "DeadlineExceeded"
	reasonOOMKilled              = "OOMKilled"
	reasonStartError             = "StartError"
	reasonContainerCannotRun     = "ContainerCannotRun"
	reasonContainerStatusUnknown = "ContainerStatusUnknown"
)

// JobEnd returns the condition with which the Job ended, or nil.
func JobEnd(job *batchv1.Job) *batchv1.JobCondition {
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

// isActive says whether the attempt may still run: neither its Job nor its pod has ended or was told to stop.
func isActive(seen Observation) bool {
	return seen.Job != nil && seen.Job.DeletionTimestamp.IsZero() && JobEnd(seen.Job) == nil && StopOfJob(seen.Job) == nil &&
		!PodHasEnded(seen.Pod) && !nothingRuns(seen.Pod) && StopOfPod(seen.Pod) == nil && !helpersStopped(seen.Pod)
}

// nothingRuns says whether each container of the pod has ended. A busy node may report half a minute later that the pod has.
func nothingRuns(pod *corev1.Pod) bool {
	if pod == nil || len(pod.Status.ContainerStatuses) == 0 {
		return false
	}
	isLeft := func(status corev1.ContainerStatus) bool { return status.State.Terminated == nil }
	return !slices.ContainsFunc(pod.Status.InitContainerStatuses, isLeft) && !slices.ContainsFunc(pod.Status.ContainerStatuses, isLeft)
}

func podHasFailed(pod *corev1.Pod) bool { return pod != nil && pod.Status.Phase == corev1.PodFailed }

// PodHasEnded says whether Kubernetes counts the pod as ended.
func PodHasEnded(pod *corev1.Pod) bool {
	return podHasFailed(pod) || (pod != nil && pod.Status.Phase == corev1.PodSucceeded)
}

// reportMargin is how long a kubelet may take to report the end of a container.
const reportMargin = 10 * time.Second

// endsBy is when the containers of a failed pod must have ended: its grace period and reportMargin after it became unready. It is zero if
// the pod is not unready.
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

// testContainer is the state of the test's container; empty if there is none.
func testContainer(seen Observation) corev1.ContainerState {
	if seen.Pod == nil {
		return corev1.ContainerState{}
	}
	for _, status := range seen.Pod.Status.ContainerStatuses {
		if status.Name == seen.Record.Container {
			return status.State
		}
	}
	return corev1.ContainerState{}
}

// statusOfAttempt is what the status says of the attempt whose Job is seen; empty if it says nothing. A finished run may have a Job beyond
// its last attempt.
func statusOfAttempt(seen Observation) v1alpha1.Attempt {
	if seen.Job == nil {
		return CurrentAttempt(seen.Run.Status)
	}
	for _, attempt := range seen.Run.Status.Attempts {
		if attempt.Job == seen.Job.Name {
			return attempt
		}
	}
	return v1alpha1.Attempt{}
}

// testHasRun says whether the test's container runs or has run. It has not run if its command could not be executed, or if the kubelet
// ended the container before it was created: then it has no start time. A start time in the status counts too, if it is of the same pod.
func testHasRun(seen Observation) bool {
	container := testContainer(seen)
	switch end := container.Terminated; {
	case commandNotStarted(seen):
		return false
	case container.Running != nil, statusOfAttempt(seen).StartTime != nil && !isSecondPod(seen):
		return true
	case end == nil, isStartError(end):
		return false
	default:
		return !end.StartedAt.IsZero()
	}
}

// commandNotStarted says that the runner ran but could not execute the test's command, or that the runner itself could not be executed.
func commandNotStarted(seen Observation) bool {
	return runnerNotStarted(seen) || seen.Report != nil && seen.Report.NotStarted != ""
}

// exitNotExecuted is the exit code with which runc ends a container that it has started if the kernel refuses to execute its program.
const exitNotExecuted = 255

// runnerNotStarted says that the container ended with exitNotExecuted and that the runner in it reported nothing.
func runnerNotStarted(seen Observation) bool {
	end := testContainer(seen).Terminated
	return end != nil && end.ExitCode == exitNotExecuted && end.Reason != reasonOOMKilled && end.Reason != reasonContainerStatusUnknown &&
		seen.Report == nil && seen.Record.Format != v1alpha1.ResultsNone
}

// isStartError says that the container runtime could not start the container.
func isStartError(end *corev1.ContainerStateTerminated) bool {
	return end.Reason == reasonStartError || end.Reason == reasonContainerCannotRun
}

// StartDeadline returns when timeouts.start is over, and how long it is. Both are zero for an attempt that nobody has tried to start.
func StartDeadline(seen Observation) (time.Time, time.Duration) {
	if seen.Job != nil {
		limit := seen.Record.StartTimeout
		return releasedAt(seen.Job).Add(limit), limit
	}
	refused := CurrentAttempt(seen.Run.Status).CreateTime
	limit := time.Duration(0)
	switch {
	case refused.IsZero():
		return time.Time{}, 0
	case seen.LastJob != nil:
		limit = seen.LastRecord.StartTimeout
	case seen.Def != nil:
		limit = seen.Def.StartTimeout
	default:
		return time.Time{}, 0
	}
	return refused.Add(limit), limit
}

// isSlowToStart says whether the start takes so long that it is worth asking why.
func isSlowToStart(seen Observation, now time.Time) bool {
	return !testHasRun(seen) && !PodHasEnded(seen.Pod) && !now.Before(releasedAt(seen.Job).Add(ExplainAfter))
}

// MayRemain says whether the pod or the Job of a finished run may not have ended. It is false for a run that ended because its node was
// silent: nobody knows when that pod ends. See docs/decisions/admission.md.
func MayRemain(seen Observation) bool {
	switch {
	case CurrentReason(seen.Run.Status) == v1alpha1.ReasonNodeUnreachable, CurrentAttempt(seen.Run.Status).Reason == v1alpha1.ReasonNodeUnreachable:
		return false
	case seen.Pod != nil:
		return !HasStopped(seen.Pod)
	default:
		return seen.JobVanished || seen.Job != nil && JobEnd(seen.Job) == nil
	}
}

// HasStopped says whether the pod has ended, and none of its containers runs any more.
func HasStopped(pod *corev1.Pod) bool {
	isRunning := func(status corev1.ContainerStatus) bool { return status.State.Running != nil }
	return PodHasEnded(pod) && !slices.ContainsFunc(pod.Status.ContainerStatuses, isRunning)
}

// IsForgotten says that the cache may have dropped how the pod ended: see docs/decisions/memory.md. Almost always its run has finished by
// then.
func IsForgotten(pod *corev1.Pod) bool {
	return PodHasEnded(pod) && len(pod.Status.ContainerStatuses) == 0
}
