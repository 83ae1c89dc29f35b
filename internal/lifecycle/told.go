package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/testrun-dev/testrun/internal/results"
)

// interval says when a test was told to stop, as exactly as that is known. Kubernetes stores whole seconds, and not always the time of the
// event in question.
type interval struct{ earliest, latest time.Time }

func at(t time.Time) interval { return interval{t, t} }

// deletionOf is when the deletion of the pod was requested. Its deletionTimestamp is the end of the grace period. When the kubelet has
// stopped the pod and removes it, the grace period is 0, and the timestamp is the time of the removal.
func deletionOf(pod *corev1.Pod) interval {
	grace := time.Duration(ptr.Deref(pod.DeletionGracePeriodSeconds, 0)) * time.Second
	if grace == 0 {
		return interval{pod.DeletionTimestamp.Add(-reportMargin), pod.DeletionTimestamp.Time}
	}
	return at(pod.DeletionTimestamp.Add(-grace))
}

// deadlineOf is when the kubelet stopped the pod at its time limit; zero if that is not known.
func deadlineOf(seen Observation) interval {
	limit := seen.Record.RunTimeout
	if lowered := seen.Pod.Spec.ActiveDeadlineSeconds; seen.Pod.Status.StartTime == nil || lowered != nil && time.Duration(*lowered)*time.Second != limit {
		return interval{}
	}
	return at(seen.Pod.Status.StartTime.Add(limit))
}

// testEndedBefore says whether the test's container ended by itself before it was told to stop. In doubt it did not: a test that was told
// to stop has not finished, whatever its exit code.
//
// The runner knows whether a signal came before the test's end, but not who sent it. The times come from two clocks. So a signal is put
// down to what Kubernetes did to the pod, unless the test had ended long before that. If the times do not decide, the runner's report does,
// except for a container with a preStop hook: a hook can stop a test without a signal. See docs/decisions/stopping.md.
func testEndedBefore(seen Observation, stop interval) bool {
	container, report := testContainer(seen).Terminated, seen.Report
	if container == nil || container.FinishedAt.IsZero() { // the node does not know how it ended
		return false
	}
	end := endOf(container, report)
	switch {
	case report != nil && report.Stopped != "":
		return end.Before(stop.earliest.Add(-reportMargin))
	case end.Before(stop.earliest):
		return true
	case end.After(stop.latest):
		return false
	default:
		return report != nil && report.Final && !hasPreStopHook(seen)
	}
}

// endOf is when the test ended. Its container ends later if the runner pushes to the archive what is left. The exit code is the test's own
// unless the kubelet has killed the runner meanwhile.
func endOf(container *corev1.ContainerStateTerminated, report *results.Report) time.Time {
	finished := container.FinishedAt.Time
	if report == nil || !report.Final || report.Archive == nil || container.ExitCode == exitKilled {
		return finished
	}
	if pushed := finished.Sub(report.Archive.Ended); pushed < 0 || pushed > results.LongestPush+reportMargin {
		return finished
	}
	return report.Archive.Ended
}

func hasPreStopHook(seen Observation) bool {
	for _, container := range seen.Pod.Spec.Containers {
		if container.Name == seen.Record.Container {
			return container.Lifecycle != nil && container.Lifecycle.PreStop != nil
		}
	}
	return false
}
